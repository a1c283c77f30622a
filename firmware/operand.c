#include "operand.h"

#include "array.h"

/* A place beyond every extent. */
#define HOLE 0x80000000u

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
    uint32_t shift = (uint32_t)(number.exponent - decoder->codec->unit);
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
 * Elements of one row of the window: `across` advances by `step` bytes from
 * element to element; outside 0 .. extent they are +0. Returns whether one of
 * them is no finite number.
 */
static bool load_segment(const struct decoder *decoder, uint32_t *words, uint32_t count, uint32_t address,
                         uint32_t across, uint32_t step, uint32_t extent) {
    bool special = false;
    uint32_t bytes = decoder->codec->bytes, stride = form_words(decoder->form);
    for (; count; count--, words += stride, across += step) {
        uint32_t code = 0, decoded[2];
        if (across < extent)
            code = element_read(MEMORY_AT(address + across), bytes, 0);
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

/* The bytes of the position of i and j, a negative number being very large; beyond every extent for a hole. */
static uint32_t axis_place(const struct axis *axis, uint32_t i, uint32_t j) {
    uint32_t place = (uint32_t)axis->start + i * (uint32_t)axis->step + j * (uint32_t)axis->tap;
    if (axis->dilation > 1) {
        uint32_t phase = axis->start_phase + i * axis->step_phase + j * axis->tap_phase;
        if (phase % axis->dilation)
            return HOLE;
        place += phase / axis->dilation * axis->unit;
    }
    return place;
}

void line_load(struct line *line, const struct operand *operand, const struct decoder *decoder, uint32_t index,
               uint32_t first, uint32_t count) {
    if (line->index == index && line->first == first && line->count == count)
        return;
    line->index = index;
    line->first = first;
    line->count = count;
    line->special = false;

    uint32_t major = operand->k_minor ? index : first, minor = operand->k_minor ? first : index;
    uint32_t e = minor % operand->run, column = minor / operand->run % operand->taps;
    uint32_t row = minor / operand->run / operand->taps;
    uint32_t x = major % operand->major_x, y = major / operand->major_x % operand->major_y;
    uint32_t n = major / operand->major_x / operand->major_y;
    uint32_t bytes = decoder->codec->bytes;
    uint32_t step = operand->k_minor ? bytes : (uint32_t)operand->x.step;
    uint32_t *words = line->words;

    while (count) {
        /* Along k, a segment's elements follow each other as e or, where there are no holes, as x does. */
        uint32_t left = operand->k_minor ? operand->run - e : operand->x.dilation > 1 ? 1 : operand->major_x - x;
        uint32_t length = left < count ? left : count;
        uint32_t down = axis_place(&operand->y, y, row), across = axis_place(&operand->x, x, column);
        uint32_t address = operand->address + n * (uint32_t)operand->stride_n + down;
        uint32_t extent = down < operand->y.extent && across != HOLE ? operand->x.extent : 0;
        line->special |= load_segment(decoder, words, length, address, across + e * bytes, step, extent);
        words += length * form_words(decoder->form);
        count -= length;
        if (operand->k_minor) {
            e = 0;
            if (++column == operand->taps) {
                column = 0;
                row++;
            }
        } else if ((x += length) >= operand->major_x) {
            x = 0;
            if (++y == operand->major_y) {
                y = 0;
                n++;
            }
        }
    }
}
