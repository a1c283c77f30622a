/*
 * Float formats: one decoder and one rounder for every binary format of the
 * mailbox's table. Whatever reads or writes a tensor goes through them.
 */
#ifndef FLOATSOC_FORMAT_H
#define FLOATSOC_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "bits.h"
#include "plan.h"

/* A format and what follows from it. */
struct codec {
    struct format format;
    uint32_t bytes;    /* of an element */
    uint32_t sign;     /* the code's sign bit; the bits below it are the magnitude */
    uint32_t largest;  /* magnitude of the largest finite value */
    uint32_t infinity; /* magnitude of infinity, where there is one */
    uint32_t nan;      /* the canonical NaN, +0 where there is none */

    /* For the short cuts below: see codec_prepare. */
    uint32_t to_binary32;
    uint32_t rebias;
    uint32_t plain_exponents;
    uint32_t dropped, below_half, odd;
};

enum number_class { NUMBER_FINITE, NUMBER_INFINITE, NUMBER_NAN };

/* (-1)^negative * significand * 2^exponent */
struct number {
    enum number_class class;
    uint32_t negative; /* of a zero and of an infinity, too */
    int32_t exponent;
    uint32_t significand;
};

/* Fills in `codec`; false if no format is like that. */
bool codec_prepare(struct codec *codec, const struct format *format);

/* (-1)^negative * significand * 2^exponent cut to 32 bits, as number_encode takes it; `sticky`: and something more. */
struct number number_cut(uint32_t negative, uint64_t significand, int32_t exponent, bool sticky);

/* sum + a * b where at least one of them is no finite number: an infinity or NaN. */
struct number number_add_special(struct number sum, struct number a, struct number b);

/* The value of a code, exactly. */
struct number number_decode(const struct codec *codec, uint32_t code);

/*
 * The code nearest to a number, ties to even, by the overflow rule. Of a number
 * that was cut to 32 significant bits, with bit 31 set, bit 0 stands for all the
 * bits that were lost ("sticky"): the result is that of the whole number.
 */
uint32_t number_encode(const struct codec *codec, struct number number, uint32_t overflow);

bool codec_is_binary32(const struct codec *codec);

/* Every finite value of the format is a multiple of 2^unit. */
static inline int32_t codec_unit(const struct codec *codec) {
    return 1 - codec->format.bias - (int32_t)codec->format.fraction_bits;
}

/* `codec_load` and `codec_store` where no short cut is possible. */
float codec_load_any(const struct codec *codec, uint32_t code);
uint32_t codec_store_any(const struct codec *codec, float value, uint32_t overflow);

/*
 * An element as binary32. Exact, but for formats with 8 exponent bits and
 * another bias, or without infinities: what binary32 lacks there is rounded.
 *
 * A normal number only moves its fields, and +0 has code 0 in every format: 18 cycles instead of 130.
 */
static inline float codec_load(const struct codec *codec, uint32_t code) {
    uint32_t magnitude = code & (codec->sign - 1);
    uint32_t exponent = magnitude >> codec->format.fraction_bits;
    if (exponent - 1 >= codec->plain_exponents)
        return code == 0 ? 0.0f : codec_load_any(codec, code);
    uint32_t bits = (magnitude << codec->to_binary32) + codec->rebias;
    return float_from_bits(code & codec->sign ? bits | BINARY32_SIGN : bits);
}

/*
 * A binary32 number rounded to an element's code.
 *
 * Where value and result are normal, the exponent is corrected, the fraction cut
 * and what was cut added back as a carry: 30 cycles instead of 180.
 */
static inline uint32_t codec_store(const struct codec *codec, float value, uint32_t overflow) {
    uint32_t bits = bits_from_float(value);
    uint32_t magnitude = (bits & ~BINARY32_SIGN) - codec->rebias;
    if ((magnitude >> 23) - 1 < codec->plain_exponents) {
        magnitude += codec->below_half + ((magnitude >> codec->dropped) & codec->odd);
        magnitude >>= codec->dropped;
        if (magnitude <= codec->largest)
            return bits & BINARY32_SIGN ? magnitude | codec->sign : magnitude;
    }
    return bits == 0 ? 0 : codec_store_any(codec, value, overflow);
}

#endif
