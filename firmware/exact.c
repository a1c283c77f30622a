#include "exact.h"

/* Loops stay apart: they share the instruction cache, and registers to save, with nothing that they do not need. */
#define NOINLINE __attribute__((noinline))

/* Buckets between the halves of a product. */
#define HALF_PRODUCT (32 / GRAIN)

COLD bool exact_prepare(struct exact *exact, const struct codec *a, const struct codec *b, const struct codec *c) {
    uint32_t a_bits = a->fixed_bits, b_bits = b->fixed_bits, product_bits = a_bits + b_bits;
    if (product_bits + LINE_BITS <= 63 && (a_bits <= 30 || b_bits <= 30)) {
        exact->a_form = a_bits <= 30 ? FORM_FIXED : FORM_WIDE;
        exact->b_form = b_bits <= 30 ? FORM_FIXED : FORM_WIDE;
    } else {
        exact->a_form = exact->b_form = FORM_BUCKET;
    }

    exact->unit = a->unit + b->unit;
    int32_t below = c ? exact->unit - c->unit : 0;
    exact->product = below > 0 ? ((uint32_t)below + GRAIN - 1) / GRAIN : 0;
    exact->origin = exact->unit - (int32_t)exact->product * GRAIN;

    /* Up to the last bucket that something is added to; it has 64 bits, and so has what is carried out of it. */
    exact->count = exact->product + a->span / GRAIN + b->span / GRAIN + HALF_PRODUCT + 1;
    uint32_t c_last = c ? ((uint32_t)(c->unit - exact->origin) + c->span) / GRAIN : 0;
    if (c_last >= exact->count)
        exact->count = c_last + 1;
    return exact->count <= BUCKET_LIMIT;
}

static void add(struct exact *exact, uint32_t place, int64_t value) {
    int64_t *bucket = exact->bucket + exact->product + place;
    bucket[0] += (uint32_t)value;
    bucket[HALF_PRODUCT] += value >> 32;
}

/* Move to the buckets what there is so far. */
static NOINLINE void use_buckets(struct exact *exact) {
    exact->in_buckets = true;
    for (uint32_t i = 0; i < exact->count; i++)
        exact->bucket[i] = 0;
    add(exact, 0, exact->sum);
}

void exact_begin(struct exact *exact, const struct number *c) {
    exact->special.class = NUMBER_FINITE;
    exact->sum = 0;
    exact->in_buckets = false;
    if (c || exact->a_form == FORM_BUCKET)
        use_buckets(exact);
    if (!c)
        return;
    exact->special = *c;
    if (c->class == NUMBER_FINITE) {
        uint32_t shift = (uint32_t)(c->exponent - exact->origin);
        int64_t significand = (int64_t)c->significand << (shift % GRAIN);
        exact->bucket[shift / GRAIN] = c->negative ? -significand : significand;
    }
}

static NOINLINE int64_t sum_fixed(const uint32_t *a, const uint32_t *b, uint32_t count) {
    int64_t sum = 0;
#pragma GCC unroll 4
    for (; count; count--)
        sum += (int64_t)(int32_t)*a++ * (int32_t)*b++;
    return sum;
}

/* `wide` has two words an element. */
static NOINLINE int64_t sum_wide(const uint32_t *fixed, const uint32_t *wide, uint32_t count) {
    uint64_t sum = 0;
#pragma GCC unroll 4
    for (; count; count--, fixed++, wide += 2)
        sum += ((uint64_t)(*fixed * wide[0]) << 32) + (uint64_t)((int64_t)(int32_t)*fixed * wide[1]);
    return (int64_t)sum;
}

static int64_t sum_line(const struct exact *exact, const uint32_t *a, const uint32_t *b, uint32_t count) {
    if (exact->a_form == FORM_FIXED && exact->b_form == FORM_FIXED)
        return sum_fixed(a, b, count);
    return exact->a_form == FORM_WIDE ? sum_wide(b, a, count) : sum_wide(a, b, count);
}

static NOINLINE void add_products(struct exact *exact, const uint32_t *a, const uint32_t *b, uint32_t count) {
    for (; count; count--, a += 2, b += 2)
        add(exact, a[1] + b[1], (int64_t)(int32_t)a[0] * (int32_t)b[0]);
}

/* A product with an infinity or a NaN is one, too: no finite product matters any more. */
COLD static void add_special(struct exact *exact, const uint32_t *a, const uint32_t *b, uint32_t count) {
    for (; count; count--, a += form_words(exact->a_form), b += form_words(exact->b_form))
        exact->special =
            number_add_special(exact->special, element_class(a, exact->a_form), element_class(b, exact->b_form));
}

void exact_accumulate(struct exact *exact, const struct line *a, const struct line *b) {
    if (a->special || b->special) {
        add_special(exact, a->words, b->words, a->count);
    } else if (exact->a_form == FORM_BUCKET) {
        add_products(exact, a->words, b->words, a->count);
    } else {
        int64_t sum = sum_line(exact, a->words, b->words, a->count);
        if (a->first == 0 && !exact->in_buckets) {
            exact->sum = sum;
            return;
        }
        if (!exact->in_buckets)
            use_buckets(exact);
        add(exact, 0, sum);
    }
}

/* Reduce every bucket to a digit of GRAIN bits; returns what is carried out of the last. */
static int64_t propagate(struct exact *exact) {
    int64_t carry = 0;
    for (uint32_t i = 0; i < exact->count; i++) {
        carry += exact->bucket[i];
        exact->bucket[i] = carry & ((1 << GRAIN) - 1);
        carry >>= GRAIN;
    }
    return carry;
}

struct number exact_finish(struct exact *exact) {
    if (exact->special.class != NUMBER_FINITE)
        return exact->special;
    if (!exact->in_buckets) {
        uint64_t sum = (uint64_t)exact->sum;
        return (struct number){
            .negative = exact->sum < 0,
            .exponent = exact->unit,
            .significand = exact->sum < 0 ? -sum : sum,
        };
    }
    int64_t top = propagate(exact);
    bool negative = top < 0;
    if (negative) {
        for (uint32_t i = 0; i < exact->count; i++)
            exact->bucket[i] = -exact->bucket[i];
        top = propagate(exact) - top;
    }

    /* More than 50 bits from the first digit that is not 0; what is left only has to be known to be something. */
    uint64_t significand = (uint64_t)top;
    uint32_t i = exact->count;
    while (significand >> 50 == 0 && i > 0)
        significand = significand << GRAIN | (uint64_t)exact->bucket[--i];
    struct number sum = {.negative = negative, .exponent = exact->origin + (int32_t)(GRAIN * i)};
    bool sticky = false;
    while (i > 0)
        sticky |= exact->bucket[--i] != 0;
    sum.significand = significand | sticky;
    return sum;
}
