/* An operand of the software matrix product: lines of elements, read through its window and decoded once. */
#ifndef FLOATSOC_OPERAND_H
#define FLOATSOC_OPERAND_H

#include "format.h"

/*
 * A decoded element, in the form in which one of the accumulators takes it:
 *
 *   exact  significand is signed (two's complement), shifted left by less than a
 *          grain; value = significand * 2^(unit + grain * place)
 *   chain  significand is a sign (bit 31) and 24 bits with the top one set, or 0;
 *          value = significand * 2^place
 *
 * An infinity has a significand of its sign that is not 0.
 */
struct element {
    uint32_t significand;
    int32_t place;
};

#define PLACE_INFINITE 0x40000000
#define PLACE_NAN 0x40000001

/* How an operand's codes become elements. */
struct decoder {
    const struct codec *codec;
    uint32_t grain;            /* of the exact accumulator in bits, a power of two; 0: for a chain */
    struct element table[256]; /* of all codes, for formats of 8 bits and less */
};

/* Part of a line along the product's k: of a row of A or a column of B. */
struct line {
    struct element *elements;
    uint32_t index; /* of the row or column */
    uint32_t first, count;
    bool special; /* has an infinity or NaN */
};

void decoder_prepare(struct decoder *decoder, const struct codec *codec, uint32_t grain);

/* Make `line` hold elements first .. first + count of the row or column `index`; nothing to do if it does. */
void line_load(struct line *line, const struct operand *operand, const struct decoder *decoder, uint32_t index,
               uint32_t first, uint32_t count);

/* What matters of an element where infinities and NaNs meet: its class, sign, and whether it is zero. */
static inline struct number element_class(struct element element) {
    return (struct number){
        .class = element.place == PLACE_NAN        ? NUMBER_NAN
                 : element.place == PLACE_INFINITE ? NUMBER_INFINITE
                                                   : NUMBER_FINITE,
        .negative = element.significand >> 31,
        .significand = element.significand << 1 != 0,
    };
}

#endif
