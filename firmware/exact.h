/* The exact accumulator: C plus any number of products without a rounding. */
#ifndef FLOATSOC_EXACT_H
#define FLOATSOC_EXACT_H

#include "operand.h"

/*
 * A sum in carry-save form: sum over i of bucket[i] * 2^(origin + grain * i).
 *
 * An operand's element lies in one bucket, at less than a grain from its lower
 * end. So a product only adds to the bucket whose number is the sum of the two,
 * without a shift; a bucket has room for the carries of all products.
 */
#define BUCKET_LIMIT 192 /* 2^-650 to 2^650 in grains of 8 bits: beyond the products of any formats, and C */

struct exact {
    uint32_t grain;
    int32_t origin;
    uint32_t count;        /* of buckets */
    uint32_t product;      /* bucket of the product of two elements with place 0 */
    bool single;           /* all products lie in that bucket */
    bool halves;           /* a bucket has room for sums of half products only */
    struct number special; /* the sum of infinities and NaNs, if there were any */
    int64_t bucket[BUCKET_LIMIT];
};

/* Lays out the buckets for formats of A, B and C (NULL: no C) and `k` products. False if they are too many. */
bool exact_prepare(struct exact *exact, const struct codec *a, const struct codec *b, const struct codec *c,
                   uint32_t k);

/* Start with C, or with a zero. */
void exact_begin(struct exact *exact, struct number c);

/* Add the products of two lines. */
void exact_accumulate(struct exact *exact, const struct line *a, const struct line *b);

/* The sum as number_encode takes it. */
struct number exact_finish(struct exact *exact);

#endif
