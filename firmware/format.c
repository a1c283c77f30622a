#include "format.h"

/* Values lie between 2^-300 and 2^300, as in pyhost.formats. */
#define EXPONENT_LIMIT 300

static const struct codec binary32 = {
    .format = {.exponent_bits = 8, .fraction_bits = 23, .bias = 127, .style = STYLE_IEEE, .subnormals = 1},
    .bytes = 4,
    .sign = BINARY32_SIGN,
    .largest = BINARY32_INFINITY - 1,
    .infinity = BINARY32_INFINITY,
    .nan = BINARY32_NAN,
};

COLD bool codec_is_binary32(const struct codec *codec) {
    const struct format *f = &codec->format;
    return f->exponent_bits == 8 && f->fraction_bits == 23 && f->bias == 127 && f->style == STYLE_IEEE && f->subnormals;
}

COLD bool codec_prepare(struct codec *codec, const struct format *format) {
    uint32_t exponent_bits = format->exponent_bits, fraction_bits = format->fraction_bits;
    if (exponent_bits < 2 || exponent_bits > 8 || fraction_bits < 1 || fraction_bits > 23 ||
        format->style > STYLE_FINITE || format->bias < -EXPONENT_LIMIT || format->bias > EXPONENT_LIMIT)
        return false;

    uint32_t bits = 1 + exponent_bits + fraction_bits;
    uint32_t top_exponent = (1u << exponent_bits) - 1;
    codec->format = *format;
    codec->bytes = bits <= 8 ? 1 : bits <= 16 ? 2 : 4;
    codec->sign = 1u << (bits - 1);
    codec->infinity = top_exponent << fraction_bits;
    codec->largest = codec->sign - 1;
    codec->nan = 0;
    codec->first = format->subnormals ? 1 : 1u << fraction_bits;
    codec->last = codec->largest;
    if (format->style == STYLE_IEEE) {
        codec->largest = codec->infinity - 1;
        codec->last = codec->infinity;
        codec->nan = codec->infinity | 1u << (fraction_bits - 1);
    } else if (format->style == STYLE_FN) {
        codec->largest = codec->last = codec->sign - 2;
        codec->nan = codec->sign - 1;
    } else if (format->style == STYLE_FNUZ) {
        codec->nan = codec->sign;
    }

    /* Exponents from 1 to top - 1 are those of normal numbers in every style. They must be so in binary32, too. */
    int32_t rebias = 127 - format->bias;
    bool possible = 1 + rebias >= 1 && (int32_t)top_exponent - 1 + rebias <= 254;
    uint32_t dropped = 23 - fraction_bits;
    codec->short_cut = (struct short_cut){
        .exponents = possible ? top_exponent - 1 : 0,
        .sign = codec->sign,
        .sign_shift = 32 - bits,
        .fraction_bits = fraction_bits,
        .dropped = dropped,
        .rebias = (uint32_t)rebias << 23,
        .below_half = dropped ? (1u << (dropped - 1)) - 1 : 0,
        .odd = dropped != 0,
        .largest = codec->largest,
    };
    return true;
}

static uint64_t shift_right_sticky(uint64_t value, uint32_t shift) {
    if (shift == 0)
        return value;
    if (shift > 63)
        return value != 0;
    return value >> shift | (value << (64 - shift) != 0);
}

/* Move the leading one of a significand that is not 0 to bit 63. In words: the CPU has no shifts of 64 bits. */
static struct number normalize(struct number number) {
    uint32_t high = (uint32_t)(number.significand >> 32), low = (uint32_t)number.significand;
    if (high == 0) {
        high = low;
        low = 0;
        number.exponent -= 32;
    }
    int32_t shift = __builtin_clz(high);
    if (shift) {
        high = high << shift | low >> (32 - shift);
        low <<= shift;
        number.exponent -= shift;
    }
    number.significand = (uint64_t)high << 32 | low;
    return number;
}

/*
 * Magnitude of a finite non-zero number, rounded; what lies beyond `largest` is any
 * larger value. On the line of codes the number lies at `code`, and `rest` / 2^32 of
 * the way to the next one, the last bit sticky.
 */
static uint32_t round_magnitude(const struct codec *codec, struct number number, uint32_t rounding, uint32_t random) {
    int32_t fraction_bits = (int32_t)codec->format.fraction_bits;
    number = normalize(number);
    int32_t binade = number.exponent + 63 + codec->format.bias, dropped = 31 - fraction_bits;
    if (binade > (int32_t)(codec->infinity >> fraction_bits))
        return codec->sign;
    if (binade < 1) {
        dropped += 1 - binade;
        binade = 1;
    }
    uint32_t high = (uint32_t)(number.significand >> 32), low = (uint32_t)number.significand;
    uint32_t code = (uint32_t)(binade - 1) << fraction_bits, rest, lost; /* the leading one adds itself to the binade */
    if (dropped < 32) {
        code += high >> dropped;
        rest = high << (32 - dropped) | low >> dropped;
        lost = low << (32 - dropped);
    } else {
        uint64_t shifted = shift_right_sticky(number.significand, (uint32_t)dropped - 32);
        rest = (uint32_t)(shifted >> 32);
        lost = (uint32_t)shifted;
    }
    rest |= lost != 0;

    const uint32_t half = 1u << 31;
    if (rounding == ROUNDING_NEAREST_EVEN)
        return code + (rest > half || (rest == half && (code & 1)));
    return code + (rounding == ROUNDING_STOCHASTIC && rest > ~random);
}

uint32_t number_round(const struct codec *codec, struct number number, uint32_t overflow, uint32_t rounding,
                      uint32_t random) {
    uint32_t style = codec->format.style;
    uint32_t magnitude = 0;
    if (number.class == NUMBER_NAN)
        return codec->nan;
    if (number.class == NUMBER_INFINITE)
        magnitude = codec->sign;
    else if (number.significand)
        magnitude = round_magnitude(codec, number, rounding, random);

    if (magnitude > codec->largest) {
        bool stays_finite = rounding == ROUNDING_TOWARD_ZERO && number.class == NUMBER_FINITE;
        if (overflow == OVERFLOW_SATURATE || style == STYLE_FINITE || stays_finite)
            magnitude = codec->largest;
        else if (style == STYLE_IEEE)
            magnitude = codec->infinity;
        else
            return codec->nan;
    }
    if (!codec->format.subnormals && magnitude >> codec->format.fraction_bits == 0)
        magnitude = 0;
    if (style == STYLE_FNUZ && magnitude == 0)
        return 0;
    return number.negative ? magnitude | codec->sign : magnitude;
}

struct number number_decode(const struct codec *codec, uint32_t code) {
    uint32_t fraction_bits = codec->format.fraction_bits;
    uint32_t magnitude = code & (codec->sign - 1);
    uint32_t exponent = magnitude >> fraction_bits;
    uint32_t fraction = magnitude & ((1u << fraction_bits) - 1);
    uint32_t negative = (code & codec->sign) != 0;

    enum number_class class = NUMBER_FINITE;
    switch (codec->format.style) {
    case STYLE_IEEE:
        if (magnitude >= codec->infinity)
            class = fraction ? NUMBER_NAN : NUMBER_INFINITE;
        break;
    case STYLE_FN:
        if (magnitude == codec->nan)
            class = NUMBER_NAN;
        break;
    case STYLE_FNUZ:
        if (negative && magnitude == 0)
            class = NUMBER_NAN;
        break;
    }

    if (exponent == 0) { /* subnormals have the exponent of the smallest normal number, and no leading one */
        exponent = 1;
        if (!codec->format.subnormals)
            fraction = 0;
    } else {
        fraction |= 1u << fraction_bits;
    }
    return (struct number){
        .class = class,
        .negative = negative,
        .exponent = (int32_t)(exponent - fraction_bits) - codec->format.bias,
        .significand = fraction,
    };
}

struct number number_add_special(struct number sum, struct number a, struct number b) {
    struct number product = {.negative = a.negative ^ b.negative};
    if (a.class != NUMBER_FINITE || b.class != NUMBER_FINITE) {
        bool a_zero = a.class == NUMBER_FINITE && a.significand == 0;
        bool b_zero = b.class == NUMBER_FINITE && b.significand == 0;
        bool nan = a.class == NUMBER_NAN || b.class == NUMBER_NAN || a_zero || b_zero;
        product.class = nan ? NUMBER_NAN : NUMBER_INFINITE;
    }
    if (product.class == NUMBER_FINITE || sum.class == NUMBER_NAN)
        return sum;
    if (sum.class == NUMBER_INFINITE && sum.negative != product.negative)
        product.class = NUMBER_NAN;
    return product;
}

/*
 * Both leading ones are put at bit 61. What the smaller number loses when it is
 * aligned is at least 59 bits below the sum's leading one, except where nothing is
 * lost at all. Only -0 + -0 is -0.
 */
struct number number_add(struct number x, struct number y) {
    if (x.significand == 0) {
        y.negative &= y.significand != 0 || x.negative;
        return y;
    }
    if (y.significand == 0)
        return x;
    x = normalize(x);
    y = normalize(y);
    if (x.exponent < y.exponent) {
        struct number larger = y;
        y = x;
        x = larger;
    }
    uint64_t addend = shift_right_sticky(y.significand >> 2, (uint32_t)(x.exponent - y.exponent));
    x.significand >>= 2;
    x.exponent += 2;
    if (x.negative == y.negative) {
        x.significand += addend;
    } else if (x.significand >= addend) {
        x.negative &= x.significand != addend;
        x.significand -= addend;
    } else {
        x.negative = y.negative;
        x.significand = addend - x.significand;
    }
    return x;
}

struct number number_round_binary32(struct number number) {
    return number_decode(&binary32, number_encode(&binary32, number, OVERFLOW_IEEE));
}

float codec_load_any(const struct codec *codec, uint32_t code) {
    return float_from_bits(number_encode(&binary32, number_decode(codec, code), OVERFLOW_IEEE));
}

uint32_t codec_store_any(const struct codec *codec, float value, uint32_t overflow) {
    return number_encode(codec, number_decode(&binary32, bits_from_float(value)), overflow);
}
