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

struct number number_cut(uint32_t negative, uint64_t significand, int32_t exponent, bool sticky) {
    uint32_t high = (uint32_t)(significand >> 32);
    if (high) {
        int shift = 32 - __builtin_clz(high);
        sticky |= (uint32_t)significand << (32 - shift) != 0;
        significand >>= shift;
        exponent += shift;
    }
    return (struct number){
        .negative = negative,
        .exponent = exponent,
        .significand = (uint32_t)significand | sticky,
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

/* Magnitude of a finite non-zero number, rounded; what lies beyond `largest` is any larger value. */
static uint32_t round_magnitude(const struct codec *codec, int32_t exponent, uint32_t significand) {
    int32_t fraction_bits = (int32_t)codec->format.fraction_bits, bias = codec->format.bias;
    int32_t leading = 31 - __builtin_clz(significand);
    int32_t binade = exponent + leading + bias;
    if (binade > (int32_t)(codec->infinity >> fraction_bits))
        return codec->sign;
    if (binade < 1)
        binade = 1;

    int32_t dropped = binade - bias - fraction_bits - exponent;
    uint32_t base = (uint32_t)(binade - 1) << fraction_bits; /* the leading one adds itself to the exponent */
    if (dropped <= 0)
        return base + (significand << -dropped);
    if (dropped > 32)
        return 0; /* below half of the smallest subnormal */
    uint32_t kept = dropped < 32 ? significand >> dropped : 0;
    uint32_t rest = significand << (32 - dropped);
    const uint32_t half = 1u << 31;
    return base + kept + (rest > half || (rest == half && (kept & 1)));
}

uint32_t number_encode(const struct codec *codec, struct number number, uint32_t overflow) {
    uint32_t style = codec->format.style;
    uint32_t magnitude = 0;
    if (number.class == NUMBER_NAN)
        return codec->nan;
    if (number.class == NUMBER_INFINITE)
        magnitude = codec->sign;
    else if (number.significand)
        magnitude = round_magnitude(codec, number.exponent, number.significand);

    if (magnitude > codec->largest) {
        if (overflow == OVERFLOW_SATURATE || style == STYLE_FINITE)
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

float codec_load_any(const struct codec *codec, uint32_t code) {
    return float_from_bits(number_encode(&binary32, number_decode(codec, code), OVERFLOW_IEEE));
}

uint32_t codec_store_any(const struct codec *codec, float value, uint32_t overflow) {
    return number_encode(codec, number_decode(&binary32, bits_from_float(value)), overflow);
}
