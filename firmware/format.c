#include "format.h"

#include "posit.h"

/* Values lie between 2^-300 and 2^300, as in pyhost.formats. */
#define EXPONENT_LIMIT 300

static const struct codec binary32 = {
    .format = {.bits = 32, .exponent_bits = 8, .fraction_bits = 23, .bias = 127, .style = STYLE_IEEE, .subnormals = 1},
    .bytes = 4,
    .sign = BINARY32_SIGN,
    .largest = BINARY32_INFINITY - 1,
    .infinity = BINARY32_INFINITY,
    .last = BINARY32_INFINITY,
    .nan = BINARY32_NAN,
};

COLD bool codec_is_binary32(const struct codec *codec) {
    const struct format *f = &codec->format;
    return f->exponent_bits == 8 && f->fraction_bits == 23 && f->bias == 127 && f->style == STYLE_IEEE && f->subnormals;
}

static bool is_p3109(const struct format *format) {
    return format->style == STYLE_P3109_EXTENDED || format->style == STYLE_P3109_FINITE;
}

/* Bits of a code but for the sign; a format without one is as wide as they are. */
static uint32_t magnitude_bits(const struct format *format) { return format->exponent_bits + format->fraction_bits; }

static bool has_sign(const struct format *format) { return format->bits > magnitude_bits(format); }

COLD static bool is_format(const struct format *format) {
    if (is_p3109(format))
        return format->exponent_bits >= 1 && format->exponent_bits <= 8 && format->fraction_bits <= 7 &&
               format->bits - magnitude_bits(format) <= 1 && format->bits <= 8 && format->subnormals;
    return format->style <= STYLE_FINITE && format->exponent_bits >= 2 && format->exponent_bits <= 8 &&
           format->fraction_bits >= 1 && format->fraction_bits <= 23 && format->bits == magnitude_bits(format) + 1;
}

COLD bool codec_prepare(struct codec *codec, const struct format *format) {
    if (format->style == STYLE_POSIT)
        return posit_prepare(codec, format);
    if (!is_format(format) || format->bias < -EXPONENT_LIMIT || format->bias > EXPONENT_LIMIT)
        return false;

    uint32_t exponent_bits = format->exponent_bits, fraction_bits = format->fraction_bits;
    uint32_t top_exponent = (1u << exponent_bits) - 1;
    codec->format = *format;
    codec->bytes = format->bits <= 8 ? 1 : format->bits <= 16 ? 2 : 4;
    codec->sign = 1u << magnitude_bits(format);
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
    } else if (is_p3109(format)) {
        codec->nan = has_sign(format) ? codec->sign : codec->sign - 1;
        codec->infinity = codec->last = has_sign(format) ? codec->sign - 1 : codec->sign - 2;
        codec->largest = codec->last - (format->style == STYLE_P3109_EXTENDED);
    }
    codec->precision = fraction_bits + 1;
    codec->unit = 1 - format->bias - (int32_t)fraction_bits;
    codec->span = (codec->largest >> fraction_bits) - 1;
    codec->fixed_bits = codec->span + codec->precision;

    /* Exponents from 1 to top - 1 are those of normal numbers if there is a sign. They must be so in binary32, too. */
    int32_t rebias = 127 - format->bias;
    bool possible = has_sign(format) && 1 + rebias >= 1 && (int32_t)top_exponent - 1 + rebias <= 254;
    uint32_t dropped = 23 - fraction_bits;
    codec->short_cut = (struct short_cut){
        .exponents = possible ? top_exponent - 1 : 0,
        .sign = codec->sign,
        .sign_shift = 31 - magnitude_bits(format),
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

/* Magnitude of a finite non-zero number, rounded; what lies beyond `largest` is any larger value. */
static uint32_t round_magnitude(const struct codec *codec, struct number number, uint32_t rounding, uint32_t random) {
    int32_t fraction_bits = (int32_t)codec->format.fraction_bits;
    number = normalize(number);
    if (codec->format.style == STYLE_POSIT)
        return posit_magnitude(codec, number, rounding, random);
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
    return round_code(code, rest | (lost != 0), rounding, random);
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
        else if (style == STYLE_IEEE || style == STYLE_P3109_EXTENDED)
            magnitude = codec->infinity;
        else
            return codec->nan;
    }
    if (magnitude < codec->first)
        magnitude = 0;
    if (!number.negative)
        return magnitude;
    if (style <= STYLE_FN || style == STYLE_FINITE)
        return magnitude | codec->sign;
    if (magnitude == 0)
        return 0;
    if (style == STYLE_POSIT)
        return 2 * codec->sign - magnitude;
    if (!has_sign(&codec->format))
        return overflow == OVERFLOW_SATURATE ? 0 : codec->nan;
    return magnitude | codec->sign;
}

struct number number_decode(const struct codec *codec, uint32_t code) {
    uint32_t fraction_bits = codec->format.fraction_bits;
    uint32_t magnitude = code & (codec->sign - 1);
    uint32_t exponent = magnitude >> fraction_bits;
    uint32_t fraction = magnitude & ((1u << fraction_bits) - 1);
    uint32_t negative = (code & codec->sign) != 0;

    enum number_class class = NUMBER_FINITE;
    if (magnitude > codec->last) {
        if (codec->format.style == STYLE_POSIT)
            return posit_decode(codec, code);
        class = NUMBER_NAN;
    } else if (magnitude > codec->largest) {
        class = NUMBER_INFINITE;
    } else if (magnitude == 0 && code && code == codec->nan) {
        class = NUMBER_NAN;
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
