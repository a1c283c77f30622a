#include "chain.h"

#include "random.h"
#include "vector.h"

/* Whether every product of the two formats is a binary32 number. */
static bool products_fit(const struct codec *a, const struct codec *b) {
    int32_t unit = a->unit + b->unit;
    return a->precision + b->precision <= 24 && unit >= -149 && unit + (int32_t)(a->fixed_bits + b->fixed_bits) <= 128;
}

/*
 * Where products are exact in binary32, and the chain is in binary32 and rounds to nearest, a multiply-add is
 * soft-float's product and sum.
 */
COLD void chain_prepare(struct chain *chain, const struct gemm *gemm, const struct codec *codec, const struct codec *a,
                        const struct codec *b) {
    chain->codec = codec;
    chain->random_bits = gemm->chain_random_bits;
    chain->random_key = gemm->chain_random_key;
    bool plain = codec_is_binary32(codec) && products_fit(a, b) && !chain->random_bits;
    chain->form = plain ? FORM_FLOAT : FORM_CHAIN;
}

static uint32_t round_step(const struct chain *chain, struct number sum, uint32_t k) {
    if (!chain->random_bits)
        return number_encode(chain->codec, sum, OVERFLOW_IEEE);
    uint32_t random = random_word(chain->random_key, chain->row, chain->column, k, chain->random_bits);
    return number_round(chain->codec, sum, OVERFLOW_IEEE, ROUNDING_STOCHASTIC, random);
}

void chain_begin(struct chain *chain, const struct number *c, uint32_t row, uint32_t column) {
    bool zero = !c || (c->class == NUMBER_FINITE && c->significand == 0); /* +0 + -0 = +0 */
    chain->row = row;
    chain->column = column;
    chain->sum = zero ? 0 : round_step(chain, *c, STEP_FIRST_ADDEND);
}

/* The product of two elements of 24 bits each, both finite. */
static struct number multiply(const uint32_t *a, const uint32_t *b) {
    return (struct number){
        .negative = (a[0] ^ b[0]) >> 24,
        .exponent = (int32_t)(a[1] + b[1]),
        .significand = (uint64_t)(a[0] & 0xffffffu) * (b[0] & 0xffffffu),
    };
}

void chain_accumulate(struct chain *chain, const struct line *a_line, const struct line *b_line) {
    const uint32_t *a = a_line->words, *b = b_line->words;
    if (chain->form == FORM_FLOAT) {
        float sum = vector_dot(float_from_bits(chain->sum), (const float *)a, (const float *)b, a_line->count);
        chain->sum = bits_from_float(sum);
        return;
    }
    for (uint32_t k = a_line->first; k < a_line->first + a_line->count; k++, a += 2, b += 2) {
        struct number sum = number_decode(chain->codec, chain->sum);
        if (sum.class != NUMBER_FINITE || is_special(a[0]) || is_special(b[0]))
            sum = number_add_special(sum, element_class(a, FORM_CHAIN), element_class(b, FORM_CHAIN));
        else
            sum = number_add(sum, multiply(a, b));
        chain->sum = round_step(chain, sum, k);
    }
}

struct number chain_finish(const struct chain *chain) { return number_decode(chain->codec, chain->sum); }
