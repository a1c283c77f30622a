/* The exact accumulator: C plus any number of products without a rounding. */
#ifndef FLOATSOC_EXACT_H
#define FLOATSOC_EXACT_H

#include "operand.h"

/* Most elements of a line: sums of so many products need LINE_BITS more than a product. */
#define LINE_BITS 11
#define LINE_LIMIT (1 << LINE_BITS)

/*
 * Where the products of a line and their sum fit 64 bits, elements are fixed-point
 * integers. That is all it takes for one line without C.
 *
 * Otherwise the sum is kept in carry-save form: sum over i of bucket[i] *
 * 2^(origin + GRAIN * i). Only 32 bits at a time are added to a bucket, so it has
 * room for 2^31 carries. Where products do not fit, each element lies in one bucket,
 * at less than a grain from its lower end, and each product is added, without a
 * shift, to the bucket whose number is the sum of the two.
 */
#define BUCKET_LIMIT 192 /* 2^-700 to 2^700 in grains of 8 bits: more than the products of any formats, and C */

struct exact {
    enum element_form a_form, b_form;
    int32_t unit;          /* products are multiples of 2^unit */
    int32_t origin;        /* that much below it, in whole grains, that C is a multiple of 2^origin */
    uint32_t product;      /* bucket of a product's unit */
    uint32_t count;        /* of buckets */
    struct number special; /* the sum of infinities and NaNs, if there were any */
    int64_t sum;           /* of a first line in fixed point, while the buckets are not in use */
    bool in_buckets;
    int64_t bucket[BUCKET_LIMIT];
};

/* Chooses forms of elements, and buckets, for the formats of A, B and C (NULL: no C). False if they are too many. */
bool exact_prepare(struct exact *exact, const struct codec *a, const struct codec *b, const struct codec *c);

/* Start with C, or with zero for NULL. */
void exact_begin(struct exact *exact, const struct number *c);

/* Add the products of two lines. */
void exact_accumulate(struct exact *exact, const struct line *a, const struct line *b);

/* The sum as number_encode takes it. */
struct number exact_finish(struct exact *exact);

#endif
