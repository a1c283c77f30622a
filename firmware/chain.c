#include "chain.h"

static struct number round_sum(const struct codec *codec, struct number sum) {
    return number_decode(codec, number_encode(codec, sum, OVERFLOW_IEEE));
}

static uint64_t shift_right_sticky(uint64_t value, uint32_t shift) {
    if (shift == 0)
        return value;
    if (shift > 63)
        return value != 0;
    return value >> shift | (value << (64 - shift) != 0);
}

/*
 * acc + a * b before it is rounded. Both terms are put with their leading one at
 * bit 61 or 62. What the smaller one loses when it is aligned is at least 59 bits
 * below the sum's leading one, except where nothing is lost at all: a format has
 * 24 bits, so a sticky bit stands for it.
 */
static struct number add_product(struct number acc, struct element a, struct element b) {
    uint64_t product = (uint64_t)(a.significand & 0xffffffu) * (b.significand & 0xffffffu) << 15;
    uint32_t product_negative = (a.significand ^ b.significand) >> 31;
    if (product == 0) {
        if (acc.significand == 0)
            acc.negative &= product_negative;
        return acc;
    }
    int32_t product_exponent = a.place + b.place - 15;
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

void chain_begin(struct chain *chain, struct number c) {
    if (c.class == NUMBER_FINITE && c.significand == 0)
        c.negative = 0;
    chain->sum = round_sum(chain->codec, c);
}

void chain_accumulate(struct chain *chain, const struct line *a, const struct line *b) {
    struct number sum = chain->sum;
    for (uint32_t i = 0; i < a->count; i++) {
        struct element x = a->elements[i], y = b->elements[i];
        if (sum.class != NUMBER_FINITE || x.place >= PLACE_INFINITE || y.place >= PLACE_INFINITE)
            sum = number_add_special(sum, element_class(x), element_class(y));
        else
            sum = add_product(sum, x, y);
        sum = round_sum(chain->codec, sum);
    }
    chain->sum = sum;
}
