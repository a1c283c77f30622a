#include "exact.h"

/* Buckets of an operand's elements. */
static uint32_t operand_buckets(const struct codec *codec, uint32_t grain) {
    return ((1u << codec->format.exponent_bits) - 2) / grain + 1;
}

bool exact_prepare(struct exact *exact, const struct codec *a, const struct codec *b, const struct codec *c,
                   uint32_t k) {
    uint32_t a_precision = a->format.fraction_bits + 1, b_precision = b->format.fraction_bits + 1;
    /* Elements have to fit 31 bits and a sign. Larger grains make fewer buckets. */
    exact->grain = a_precision <= 8 && b_precision <= 8 ? 16 : 8;
    uint32_t grain = exact->grain;
    uint32_t product_bits = a_precision + b_precision + 2 * (grain - 1);
    exact->halves = product_bits + (32 - (uint32_t)__builtin_clz(k)) > 62;

    int32_t product_unit = codec_unit(a) + codec_unit(b);
    int32_t below = c ? product_unit - codec_unit(c) : 0;
    exact->product = below > 0 ? ((uint32_t)below + grain - 1) / grain : 0;
    exact->origin = product_unit - (int32_t)(exact->product * grain);

    uint32_t product_buckets = operand_buckets(a, grain) + operand_buckets(b, grain) - 1;
    exact->single = product_buckets == 1 && !exact->halves;
    exact->count = exact->product + product_buckets + (exact->halves ? 32 / grain : 0);
    if (c) {
        uint32_t top = (uint32_t)(codec_unit(c) - exact->origin) + (1u << c->format.exponent_bits) - 2;
        if (top / grain >= exact->count)
            exact->count = top / grain + 1;
    }
    return exact->count <= BUCKET_LIMIT;
}

void exact_begin(struct exact *exact, struct number c) {
    for (uint32_t i = 0; i < exact->count; i++)
        exact->bucket[i] = 0;
    exact->special = c;
    if (c.class == NUMBER_FINITE && c.significand) {
        uint32_t shift = (uint32_t)(c.exponent - exact->origin);
        int64_t significand = (int64_t)c.significand << (shift & (exact->grain - 1));
        exact->bucket[shift / exact->grain] = c.negative ? -significand : significand;
    }
}

static inline int64_t multiply(const struct element *a, const struct element *b) {
    return (int64_t)(int32_t)a->significand * (int32_t)b->significand;
}

void exact_accumulate(struct exact *exact, const struct line *a_line, const struct line *b_line) {
    const struct element *a = a_line->elements, *b = b_line->elements, *end = a + a_line->count;
    int64_t *bucket = exact->bucket + exact->product;

    /* A product with an infinity or a NaN is one, too: no finite product matters any more. */
    if (a_line->special || b_line->special) {
        for (; a != end; a++, b++)
            exact->special = number_add_special(exact->special, element_class(*a), element_class(*b));
    } else if (exact->single) {
        int64_t sum = 0;
        for (; a != end; a++, b++)
            sum += multiply(a, b);
        *bucket += sum;
    } else if (!exact->halves) {
        for (; a != end; a++, b++)
            bucket[a->place + b->place] += multiply(a, b);
    } else {
        uint32_t high = 32 / exact->grain;
        for (; a != end; a++, b++) {
            int64_t product = multiply(a, b);
            bucket[a->place + b->place] += (uint32_t)product;
            bucket[a->place + b->place + high] += product >> 32;
        }
    }
}

/* Reduce every bucket to a digit of `grain` bits; returns what is carried out of the last. */
static int64_t propagate(struct exact *exact) {
    int64_t carry = 0;
    for (uint32_t i = 0; i < exact->count; i++) {
        carry += exact->bucket[i];
        exact->bucket[i] = carry & ((1 << exact->grain) - 1);
        carry >>= exact->grain;
    }
    return carry;
}

struct number exact_finish(struct exact *exact) {
    if (exact->special.class != NUMBER_FINITE)
        return exact->special;
    int64_t top = propagate(exact);
    bool negative = top < 0;
    if (negative) {
        for (uint32_t i = 0; i < exact->count; i++)
            exact->bucket[i] = -exact->bucket[i];
        top = propagate(exact) - top;
    }

    /* More than 32 bits from the first digit that is not 0; what is left only has to be known to be something. */
    uint64_t significand = (uint64_t)top;
    uint32_t i = exact->count;
    while (significand >> 32 == 0 && i > 0)
        significand = significand << exact->grain | (uint64_t)exact->bucket[--i];
    int32_t exponent = exact->origin + (int32_t)(exact->grain * i);
    bool sticky = false;
    while (i > 0)
        sticky |= exact->bucket[--i] != 0;
    return number_cut(negative, significand, exponent, sticky);
}
