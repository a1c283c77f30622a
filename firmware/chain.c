#include "chain.h"

#include "vector.h"

/* Whether every product of the two formats is a binary32 number. */
static bool products_fit(const struct codec *a, const struct codec *b) {
    uint32_t bits = a->format.fraction_bits + b->format.fraction_bits + 2;
    int32_t unit = codec_unit(a) + codec_unit(b);
    uint32_t shifts = (a->infinity >> a->format.fraction_bits) + (b->infinity >> b->format.fraction_bits);
    return bits <= 24 && unit >= -149 && unit + (int32_t)(shifts + bits) <= 128;
}

/* Where products are exact in binary32, and the chain is in binary32, a multiply-add is a product and a sum. */
COLD void chain_prepare(struct chain *chain, const struct codec *codec, const struct codec *a, const struct codec *b) {
    chain->codec = codec;
    chain->form = codec_is_binary32(codec) && products_fit(a, b) ? FORM_FLOAT : FORM_CHAIN;
}

void chain_begin(struct chain *chain, const struct number *c) {
    bool zero = !c || (c->class == NUMBER_FINITE && c->significand == 0); /* +0 + -0 = +0 */
    chain->sum = zero ? 0 : number_encode(chain->codec, *c, OVERFLOW_IEEE);
}

static uint64_t shift_right_sticky(uint64_t value, uint32_t shift) {
    if (shift == 0)
        return value;
    if (shift > 63)
        return value != 0;
    return value >> shift | (value << (64 - shift) != 0);
}

/*
 * acc + a * b before it is rounded, all finite. Both terms are put with their
 * leading one at bit 61 or 62. What the smaller one loses when it is aligned is at
 * least 59 bits below the sum's leading one, except where nothing is lost at all: a
 * format has 24 bits, so a sticky bit stands for it.
 */
static struct number add_product(struct number acc, const uint32_t *a, const uint32_t *b) {
    uint64_t product = (uint64_t)(a[0] & 0xffffffu) * (b[0] & 0xffffffu) << 15;
    uint32_t product_negative = (a[0] ^ b[0]) >> 24;
    if (product == 0) {
        if (acc.significand == 0)
            acc.negative &= product_negative;
        return acc;
    }
    int32_t product_exponent = (int32_t)(a[1] + b[1]) - 15;
    if (acc.significand == 0)
        return number_cut(product_negative, product, product_exponent, false);

    uint32_t shift = (uint32_t)__builtin_clz(acc.significand) + 31;
    uint64_t sum = (uint64_t)acc.significand << shift;
    int32_t exponent = acc.exponent - (int32_t)shift;
    if (exponent >= product_exponent) {
        product = shift_right_sticky(product, (uint32_t)(exponent - product_exponent));
    } else {
        sum = shift_right_sticky(sum, (uint32_t)(product_exponent - exponent));
        exponent = product_exponent;
    }
    if (acc.negative == product_negative)
        return number_cut(acc.negative, sum + product, exponent, false);
    if (sum >= product)
        return number_cut(sum == product ? 0 : acc.negative, sum - product, exponent, false);
    return number_cut(product_negative, product - sum, exponent, false);
}

void chain_accumulate(struct chain *chain, const struct line *a_line, const struct line *b_line) {
    const uint32_t *a = a_line->words, *b = b_line->words;
    if (chain->form == FORM_FLOAT) {
        float sum = vector_dot(float_from_bits(chain->sum), (const float *)a, (const float *)b, a_line->count);
        chain->sum = bits_from_float(sum);
        return;
    }
    for (uint32_t count = a_line->count; count; count--, a += 2, b += 2) {
        struct number sum = number_decode(chain->codec, chain->sum);
        if (sum.class != NUMBER_FINITE || is_special(a[0]) || is_special(b[0]))
            sum = number_add_special(sum, element_class(a, FORM_CHAIN), element_class(b, FORM_CHAIN));
        else
            sum = add_product(sum, a, b);
        chain->sum = number_encode(chain->codec, sum, OVERFLOW_IEEE);
    }
}

struct number chain_finish(const struct chain *chain) { return number_decode(chain->codec, chain->sum); }
