/*
 * Float formats: one decoder and one rounder for every format of the mailbox's
 * table. Whatever reads or writes a tensor goes through them.
 */
#ifndef FLOATSOC_FORMAT_H
#define FLOATSOC_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "bits.h"
#include "plan.h"

/* How codes of normal numbers become binary32 and back by moving fields: see codec_load and codec_store. */
struct short_cut {
    uint32_t exponents; /* those of normal numbers here and in binary32 are 1 .. exponents; 0: no short cut */
    uint32_t sign;
    uint32_t sign_shift;
    uint32_t fraction_bits;
    uint32_t dropped; /* 23 - fraction_bits */
    uint32_t rebias;  /* of the exponent, to binary32, in its place there */
    uint32_t below_half, odd;
    uint32_t largest;
};

/* A format and what follows from it. */
struct codec {
    struct format format;
    uint32_t bytes;      /* of an element */
    uint32_t precision;  /* most bits of a significand */
    int32_t unit;        /* every finite value is a multiple of 2^unit, */
    uint32_t span;       /* a significand times 2^unit .. 2^(unit + span), */
    uint32_t fixed_bits; /* and below 2^(unit + fixed_bits) */
    uint32_t sign;       /* the code's sign bit, or one above the code; the bits below it are the magnitude */
    uint32_t largest;    /* magnitude of the largest finite value */
    uint32_t infinity;   /* magnitude of infinity, where there is one */
    uint32_t nan;        /* the canonical NaN, +0 where there is none */
    uint32_t first;      /* the smallest magnitude that is not read as zero */
    uint32_t last;       /* the largest magnitude that is not NaN: infinity, where there is one; of posits 0 */
    struct short_cut short_cut;
};

enum number_class { NUMBER_FINITE, NUMBER_INFINITE, NUMBER_NAN };

/*
 * (-1)^negative * significand * 2^exponent. Of a number that was cut, to 50 bits or
 * more, the last bit stands for all that were lost ("sticky"): 24 bits of a format
 * and as many random ones decide by themselves.
 */
struct number {
    enum number_class class;
    uint32_t negative; /* of a zero and of an infinity, too */
    int32_t exponent;
    uint64_t significand;
};

/* Fills in `codec`; false if no format is like that. */
bool codec_prepare(struct codec *codec, const struct format *format);

/* x + y of finite numbers of at most 62 bits, cut to 63. */
struct number number_add(struct number x, struct number y);

/* sum + a * b where at least one of them is no finite number: an infinity or NaN. */
struct number number_add_special(struct number sum, struct number a, struct number b);

/* The value of a code, exactly. */
struct number number_decode(const struct codec *codec, uint32_t code);

/*
 * The code of a number, by `overflow` and `rounding` (enums). `random`: for stochastic
 * rounding, the element's random word with all bits but the most significant
 * random_bits cleared. Toward zero, no finite number overflows.
 */
uint32_t number_round(const struct codec *codec, struct number number, uint32_t overflow, uint32_t rounding,
                      uint32_t random);

/* To nearest, ties to even. */
static inline uint32_t number_encode(const struct codec *codec, struct number number, uint32_t overflow) {
    return number_round(codec, number, overflow, ROUNDING_NEAREST_EVEN, 0);
}

bool codec_is_binary32(const struct codec *codec);

/* The code at or above a place on the line of codes: `rest` / 2^32 of the way from `code` to the next, last bit sticky.
 */
static inline uint32_t round_code(uint32_t code, uint32_t rest, uint32_t rounding, uint32_t random) {
    const uint32_t half = 1u << 31;
    if (rounding == ROUNDING_NEAREST_EVEN)
        return code + (rest > half || (rest == half && (code & 1)));
    return code + (rounding == ROUNDING_STOCHASTIC && rest > ~random);
}

/*
 * An integer that compares as the code's value does: zeros give 0, a NaN more than
 * anything else. Codes of every format are in the order of their magnitudes, and those
 * of posits, which are two's complements, in the order of their values.
 */
static inline int32_t code_order(const struct codec *codec, uint32_t code) {
    uint32_t magnitude = code & (codec->sign - 1);
    if (magnitude > codec->last)
        return codec->format.style == STYLE_POSIT ? (int32_t)magnitude - (int32_t)(code & codec->sign) : INT32_MAX;
    if (magnitude < codec->first)
        return code && code == codec->nan ? INT32_MAX : 0;
    return code & codec->sign ? -(int32_t)magnitude : (int32_t)magnitude;
}

/*
 * An element as binary32. Exact, but for formats with 8 exponent bits and
 * another bias, or without infinities: what binary32 lacks there is rounded.
 */
float codec_load_any(const struct codec *codec, uint32_t code);

/* A number rounded to binary32, to nearest even. */
struct number number_round_binary32(struct number number);

/* A binary32 number rounded to an element's code. */
uint32_t codec_store_any(const struct codec *codec, float value, uint32_t overflow);

/*
 * The same, with `codec`'s short cut in registers (a copy: loops keep it there).
 * A normal number only has its fields moved, and +0 is code 0 in every format.
 */
static inline float codec_load(const struct codec *codec, struct short_cut cut, uint32_t code) {
    uint32_t magnitude = code & (cut.sign - 1);
    if ((magnitude >> cut.fraction_bits) - 1 >= cut.exponents)
        return code == 0 ? 0.0f : codec_load_any(codec, code);
    return float_from_bits(((magnitude << cut.dropped) + cut.rebias) | ((code << cut.sign_shift) & BINARY32_SIGN));
}

/* Where value and result are normal, the fraction is cut, and what was cut comes back as a carry. */
static inline uint32_t codec_store(const struct codec *codec, struct short_cut cut, float value, uint32_t overflow) {
    uint32_t bits = bits_from_float(value);
    uint32_t magnitude = (bits & ~BINARY32_SIGN) - cut.rebias;
    if ((magnitude >> 23) - 1 < cut.exponents) {
        magnitude += cut.below_half + ((magnitude >> cut.dropped) & cut.odd);
        magnitude >>= cut.dropped;
        if (magnitude <= cut.largest)
            return magnitude | ((bits >> cut.sign_shift) & cut.sign);
    }
    return bits == 0 ? 0 : codec_store_any(codec, value, overflow);
}

#endif
