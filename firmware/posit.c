#include "posit.h"

#define POSIT_BITS_LIMIT 16
#define POSIT_EXPONENT_BITS_LIMIT 3

COLD bool posit_prepare(struct codec *codec, const struct format *format) {
    uint32_t bits = format->bits, es = format->exponent_bits;
    if (bits < 3 || bits > POSIT_BITS_LIMIT || es > POSIT_EXPONENT_BITS_LIMIT)
        return false;
    uint32_t span = (bits - 2) << (es + 1);
    *codec = (struct codec){
        .format = *format,
        .bytes = bits <= 8 ? 1 : 2,
        .precision = bits > 3 + es ? bits - 2 - es : 1,
        .unit = -(int32_t)(span / 2),
        .span = span,
        .fixed_bits = span + 1,
        .sign = 1u << (bits - 1),
        .largest = (1u << (bits - 1)) - 1,
        .nan = 1u << (bits - 1),
        .first = 1,
    };
    return true;
}

struct number posit_decode(const struct codec *codec, uint32_t code) {
    uint32_t bits = codec->format.bits, es = codec->format.exponent_bits, sign = codec->sign;
    struct number number = {.negative = (code & sign) != 0};
    uint32_t body = ((number.negative ? -code : code) & (sign - 1)) << (33 - bits);
    bool ones = body >> 31;
    uint32_t run = (uint32_t)__builtin_clz(ones ? ~body : body);
    int32_t regime = ones ? (int32_t)run - 1 : -(int32_t)run;

    /* Bits beyond the code are zeros. */
    uint32_t tail = body << run << 1, left = bits - 1 > run + 1 ? bits - 2 - run : 0;
    uint32_t fraction_bits = left > es ? left - es : 0;
    uint32_t exponent = tail >> 1 >> (31 - es), fraction = tail << es;
    number.exponent = regime * (1 << es) + (int32_t)(exponent - fraction_bits);
    number.significand = (1u << 31 | fraction >> 1) >> (31 - fraction_bits);
    return number;
}

/*
 * The string that an endless posit would have behind its sign begins with the last bit
 * of the regime's run and the bit that ends it, and moves down as the run grows longer.
 */
uint32_t posit_magnitude(const struct codec *codec, struct number number, uint32_t rounding, uint32_t random) {
    uint32_t bits = codec->format.bits, es = codec->format.exponent_bits;
    int32_t scale = number.exponent + 63, regime = scale >> es;
    uint32_t run = (uint32_t)(regime < 0 ? ~regime : regime);
    if (run > bits - 2)
        return regime < 0 ? 1 : codec->largest;

    uint64_t fraction = number.significand << 1, exponent = (uint32_t)(scale - regime * (1 << es));
    uint64_t tail = exponent << (62 - es) | fraction >> (2 + es);
    uint64_t string = (regime < 0 ? 1ull << 62 : 2ull << 62) | tail;
    bool lost = fraction << (62 - es) != 0 || (run && string << (64 - run) != 0);
    string = regime < 0 ? string >> run : ~(~string >> run);

    uint32_t code = (uint32_t)(string >> (65 - bits)), rest = (uint32_t)(string >> (33 - bits));
    rest |= lost || string << (31 + bits) != 0;
    code = round_code(code, rest, rounding, random);
    return code == 0 ? 1 : code > codec->largest ? codec->largest : code;
}
