#include "operand.h"

#include "array.h"

static void decode(const struct decoder *decoder, uint32_t code, uint32_t words[2]) {
    if (decoder->form == FORM_FLOAT) {
        words[0] = bits_from_float(codec_load_any(decoder->codec, code));
        return;
    }
    struct number number = number_decode(decoder->codec, code);
    if (number.class != NUMBER_FINITE) {
        words[0] = number.class == NUMBER_NAN ? WORD_NAN : number.negative ? WORD_MINUS_INFINITY : WORD_INFINITY;
        words[1] = 0;
        return;
    }
    uint32_t shift = (uint32_t)(number.exponent - codec_unit(decoder->codec));
    switch (decoder->form) {
    case FORM_CHAIN:
        shift = number.significand ? (uint32_t)__builtin_clz(number.significand) - 8 : 0;
        words[0] = number.significand << shift | number.negative << 24;
        words[1] = (uint32_t)(number.exponent - (int32_t)shift);
        break;
    case FORM_BUCKET:
        words[0] = number.significand << (shift % GRAIN);
        words[0] = number.negative ? -words[0] : words[0];
        words[1] = shift / GRAIN;
        break;
    default: {
        uint64_t value = (uint64_t)number.significand << shift;
        value = number.negative ? -value : value;
        words[0] = decoder->form == FORM_WIDE ? (uint32_t)(value >> 32) : (uint32_t)value;
        words[1] = (uint32_t)value;
    }
    }
}

COLD void decoder_prepare(struct decoder *decoder, const struct codec *codec, enum element_form form) {
    decoder->codec = codec;
    decoder->form = form;
    if (codec->bytes == 1)
        for (uint32_t code = 0; code < 256; code++)
            decode(decoder, code, decoder->table[code]);
}

struct number element_class(const uint32_t *words, enum element_form form) {
    struct number number = {.negative = words[0] >> (form == FORM_CHAIN ? 24 : 31)};
    number.significand = form == FORM_CHAIN ? words[0] << 8 : form == FORM_WIDE ? words[0] | words[1] : words[0];
    if (is_special(words[0])) {
        number.class = words[0] == WORD_NAN ? NUMBER_NAN : NUMBER_INFINITE;
        number.negative = words[0] == WORD_MINUS_INFINITY;
    }
    return number;
}

/*
 * Elements of one row of the window: `horizontal` advances by `step` bytes from
 * element to element; outside 0 .. width they are +0. Returns whether one of
 * them is no finite number.
 */
static bool load_segment(const struct decoder *decoder, uint32_t *words, uint32_t count, uint32_t address,
                         uint32_t horizontal, uint32_t step, uint32_t width) {
    bool special = false;
    uint32_t bytes = decoder->codec->bytes, stride = form_words(decoder->form);
    for (; count; count--, words += stride, horizontal += step) {
        uint32_t code = 0, decoded[2];
        if (horizontal < width)
            code = element_read((const void *)(uintptr_t)(address + horizontal), bytes, 0);
        const uint32_t *source = decoder->table[code];
        if (bytes > 1) {
            decode(decoder, code, decoded);
            source = decoded;
        }
        words[0] = source[0];
        if (stride > 1)
            words[1] = source[1];
        special |= is_special(words[0]);
    }
    return special;
}

void line_load(struct line *line, const struct operand *operand, const struct decoder *decoder, uint32_t index,
               uint32_t first, uint32_t count) {
    if (line->index == index && line->first == first && line->count == count)
        return;
    line->index = index;
    line->first = first;
    line->count = count;
    line->special = false;

    /* A segment lies in one row of the window: along k its elements follow each other as e or as x does. */
    uint32_t major = operand->k_minor ? index : first, minor = operand->k_minor ? first : index;
    uint32_t row = minor / operand->run, e = minor % operand->run;
    uint32_t x = major % operand->major_x, y = major / operand->major_x % operand->major_y;
    uint32_t n = major / operand->major_x / operand->major_y;
    uint32_t bytes = decoder->codec->bytes;
    uint32_t step = operand->k_minor ? bytes : operand->stride_x;
    uint32_t *words = line->words;

    while (count) {
        uint32_t left = operand->k_minor ? operand->run - e : operand->major_x - x;
        uint32_t length = left < count ? left : count;
        uint32_t vertical = y + row - operand->pad_y; /* negative ones are large */
        uint32_t address = operand->address + n * (uint32_t)operand->stride_n + vertical * (uint32_t)operand->stride_y;
        line->special |=
            load_segment(decoder, words, length, address, x * operand->stride_x + e * bytes - operand->pad_x, step,
                         vertical < operand->height ? operand->width : 0);
        words += length * form_words(decoder->form);
        count -= length;
        if (operand->k_minor) {
            e = 0;
            row++;
        } else {
            x = 0;
            if (++y == operand->major_y) {
                y = 0;
                n++;
            }
        }
    }
}
