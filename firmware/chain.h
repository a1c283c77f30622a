/* The chain accumulator: acc = round(acc + a * b) in a format, one rounding a step. */
#ifndef FLOATSOC_CHAIN_H
#define FLOATSOC_CHAIN_H

#include "operand.h"

struct chain {
    const struct codec *codec;
    enum element_form form;           /* of both operands */
    uint32_t random_bits, random_key; /* of stochastic rounding; bits 0: to nearest even */
    uint32_t row, column;             /* of the element of D */
    uint32_t sum;                     /* code */
};

/* Chooses the form of elements for a chain in `codec` and operands in the formats of A and B. */
void chain_prepare(struct chain *chain, const struct gemm *gemm, const struct codec *codec, const struct codec *a,
                   const struct codec *b);

/* Start with round(+0 + C), or with +0 for NULL. */
void chain_begin(struct chain *chain, const struct number *c, uint32_t row, uint32_t column);

/* Add the products of two lines, one after the other. */
void chain_accumulate(struct chain *chain, const struct line *a, const struct line *b);

/* The sum as number_encode takes it. */
struct number chain_finish(const struct chain *chain);

#endif
