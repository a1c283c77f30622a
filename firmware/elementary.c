/*
 * exp, log and rsqrt, defined by the operations below: binary32, every operation
 * rounded to nearest even, in the order written, nothing fused. The golden
 * model repeats them in NumPy, so both give the same bits; no libm takes part.
 *
 * Largest error over all 2^32 arguments, in units of the last place of the
 * binary32 result (2^-149 below the normal range), against a binary64 libm:
 *
 *   exp    0.99   results from 2^-149 to the largest finite number
 *   log    0.84   all positive arguments, subnormals included
 *   rsqrt  0.76   the same; exact for powers of four
 *
 * Specials: exp(-inf) = +0, exp(+inf) = +inf, exp overflows to +inf and
 * underflows through the subnormals to +0; log(+-0) = -inf, log(+inf) = +inf,
 * log of a negative number = NaN; rsqrt(+-0) = +-inf, rsqrt(+inf) = +0, rsqrt of
 * a negative number = NaN; NaN gives NaN, always the canonical one.
 *
 * The polynomials of exp and log are minimax fits on a Chebyshev grid, their coefficients
 * rounded to binary32 one after the other, lowest degree first, the remaining
 * ones fitted again each time.
 */
#include "elementary.h"

#include "bits.h"

/* ln 2 in two parts: HIGH has 15 significant bits, so n * HIGH is exact for |n| < 512. */
#define LN2_HIGH 0x1.62e4p-1f
#define LN2_LOW 0x1.7f7d1cp-20f

/*
 * exp(x) = 2^n * exp(r),  n = x / ln 2 to the nearest integer,  |r| <= ln(2) / 2
 * exp(r) = 1 + (r + r^2 * q(r)),  q of degree 4, relative error 2^-28.2
 *
 * Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits. Two
 * multiplications by powers of two apply 2^n: the first is exact, so that only
 * the second rounds, into the subnormals, or overflows.
 */
float binary32_exp(float x) {
    if (x != x)
        return float_from_bits(BINARY32_NAN);
    if (x > 89.0f)
        return float_from_bits(BINARY32_INFINITY);
    if (x < -104.0f)
        return 0.0f;

    float shifted = x * 0x1.715476p+0f /* 1 / ln 2 */ + 0x1.8p+23f;
    float n_value = shifted - 0x1.8p+23f;
    int32_t n = (int32_t)(bits_from_float(shifted) - bits_from_float(0x1.8p+23f));

    float r = (x - n_value * LN2_HIGH) - n_value * LN2_LOW;
    float q = 0x1.6a507ap-10f;
    q = q * r + 0x1.123976p-7f;
    q = q * r + 0x1.5558acp-5f;
    q = q * r + 0x1.555492p-3f;
    q = q * r + 0x1.fffffcp-2f;
    float y = 1.0f + (r + (r * r) * q);

    int32_t first = n >> 1, second = n - first;
    return y * power_of_two(first) * power_of_two(second);
}

/*
 * log(x) = n * ln 2 + log(1 + f),  x = 2^n * (1 + f),  1 + f from sqrt(1/2) to sqrt(2)
 * log(1 + f) = f - f^2/2 + s * (f^2/2 + R),  s = f / (2 + f),
 * R = z * (c1 + z * (c2 + z * c3)),  z = s^2, relative error of the logarithm 2^-30.2
 *
 * The decomposition is fdlibm's (Sun Microsystems, 1993).
 */
float binary32_log(float x) {
    uint32_t bits = bits_from_float(x);
    if (bits << 1 == 0)
        return float_from_bits(BINARY32_SIGN | BINARY32_INFINITY);
    if (bits == BINARY32_INFINITY)
        return x;
    if (bits > BINARY32_INFINITY) /* negative numbers and NaNs of both signs */
        return float_from_bits(BINARY32_NAN);

    int32_t n = 0;
    if (bits < BINARY32_MIN_NORMAL) {
        bits = bits_from_float(x * 0x1p+23f);
        n = -23;
    }
    const uint32_t sqrt_half = 0x3f3504f3u;
    bits += 0x3f800000u - sqrt_half;
    n += (int32_t)(bits >> 23) - 127;
    float f = float_from_bits((bits & 0x7fffffu) + sqrt_half) - 1.0f;
    float n_value = (float)n;

    float s = f / (2.0f + f);
    float z = s * s;
    float r = 0x1.31e03cp-2f;
    r = r * z + 0x1.995ed8p-2f;
    r = r * z + 0x1.55557ap-1f;
    r = r * z;
    float half_square = 0.5f * f * f;
    return (((s * (half_square + r) + n_value * LN2_LOW) - half_square) + f) + n_value * LN2_HIGH;
}

/*
 * rsqrt(x) = 2^-k / sqrt(m),  x = 4^k * m,  m from 1 to 4
 * 1 / sqrt(m) = y / sqrt(1 - e) = y + y * (e/2 + 3/8 e^2 + 5/16 e^3),  e = 1 - m * y^2 from 0 to 2^-7.8,
 * and the terms left out are below 2^-32 of it.
 *
 * The first y is half the bits of m taken from a constant (Lomont 2003), within 3.5 %; one Newton step brings it
 * within 0.18 %, from below. Cut to 12 significant bits its square is exact, and m * y^2 stays below 1, so that
 * the only rounding in e is of 2^-25.
 */
float binary32_rsqrt(float x) {
    uint32_t bits = bits_from_float(x);
    if (bits << 1 == 0)
        return float_from_bits(bits | BINARY32_INFINITY);
    if (bits == BINARY32_INFINITY)
        return 0.0f;
    if (bits > BINARY32_INFINITY) /* negative numbers and NaNs of both signs */
        return float_from_bits(BINARY32_NAN);

    int32_t half_shift = 0;
    if (bits < BINARY32_MIN_NORMAL) {
        bits = bits_from_float(x * 0x1p+24f);
        half_shift = 12;
    }
    int32_t exponent = (int32_t)(bits >> 23) - 127;
    int32_t k = (exponent - (exponent & 1)) / 2;
    bits -= (uint32_t)k << 24;
    float m = float_from_bits(bits);

    float y = float_from_bits(0x5f3759dfu - (bits >> 1));
    y = y * (1.5f - (0.5f * m) * y * y);
    y = float_from_bits(bits_from_float(y) & 0xfffff000u);
    float e = 1.0f - m * (y * y);
    float q = e * 0.3125f + 0.375f;
    q = e * q + 0.5f;
    y = y + y * (e * q);
    return y * power_of_two(half_shift - k);
}
