/* An operand of the software matrix product: lines of elements, read through its window and decoded once. */
#ifndef FLOATSOC_OPERAND_H
#define FLOATSOC_OPERAND_H

#include "format.h"

/* How a decoded element is kept, as its accumulator takes it; each has one or two words. */
enum element_form {
    FORM_FIXED,  /* [v]: value = v * 2^unit, v signed */
    FORM_WIDE,   /* [high][low]: the same with 64 bits */
    FORM_BUCKET, /* [v][place]: value = v * 2^(unit + GRAIN * place), v signed */
    FORM_CHAIN,  /* [sign << 24 | s][exponent]: value = s * 2^exponent, s 24 bits with the top one set, or 0 */
    FORM_FLOAT,  /* [code in binary32] */
};

/* Bits from one place to the next: v takes 24 + GRAIN - 1 bits and a sign. */
#define GRAIN 8

/* The first word of what is no finite number, in all forms but FORM_FLOAT. No other element has it. */
#define WORD_NAN 0x80000000u
#define WORD_INFINITY 0x80000001u
#define WORD_MINUS_INFINITY 0x80000002u

static inline bool is_special(uint32_t first_word) { return first_word - WORD_NAN <= WORD_MINUS_INFINITY - WORD_NAN; }

static inline uint32_t form_words(enum element_form form) { return form == FORM_FIXED || form == FORM_FLOAT ? 1 : 2; }

/* How an operand's codes become elements. */
struct decoder {
    const struct codec *codec;
    enum element_form form;
    uint32_t table[256][2]; /* of all codes, for formats of 8 bits and less */
};

/* Part of a line along the product's k: of a row of A or a column of B. */
struct line {
    uint32_t *words;
    uint32_t index; /* of the row or column */
    uint32_t first, count;
    bool special; /* has an infinity or NaN */
};

void decoder_prepare(struct decoder *decoder, const struct codec *codec, enum element_form form);

/* Make `line` hold elements first .. first + count of the row or column `index`; nothing to do if it does. */
void line_load(struct line *line, const struct operand *operand, const struct decoder *decoder, uint32_t index,
               uint32_t first, uint32_t count);

/* What matters of an element where infinities and NaNs meet: its class, sign, and whether it is zero. */
struct number element_class(const uint32_t *words, enum element_form form);

#endif
