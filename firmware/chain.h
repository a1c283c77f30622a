/* The chain accumulator: acc = round(acc + a * b) in a format, one rounding a step. */
#ifndef FLOATSOC_CHAIN_H
#define FLOATSOC_CHAIN_H

#include "operand.h"

struct chain {
    const struct codec *codec;
    struct number sum; /* a value of the format */
};

/* Start with round(+0 + C), or with +0. */
void chain_begin(struct chain *chain, struct number c);

/* Add the products of two lines, one after the other. */
void chain_accumulate(struct chain *chain, const struct line *a, const struct line *b);

#endif
