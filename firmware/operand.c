#include "operand.h"

#include "array.h"

static struct element decode(const struct decoder *decoder, uint32_t code) {
    struct number number = number_decode(decoder->codec, code);
    if (number.class != NUMBER_FINITE)
        return (struct element){
            .significand = number.negative ? -1u : 1u,
            .place = number.class == NUMBER_NAN ? PLACE_NAN : PLACE_INFINITE,
        };
    if (decoder->grain == 0) {
        uint32_t shift = number.significand ? (uint32_t)__builtin_clz(number.significand) - 8 : 0;
        return (struct element){
            .significand = number.significand << shift | number.negative << 31,
            .place = number.exponent - (int32_t)shift,
        };
    }
    uint32_t shift = (uint32_t)(number.exponent - codec_unit(decoder->codec));
    uint32_t significand = number.significand << (shift & (decoder->grain - 1));
    return (struct element){
        .significand = number.negative ? -significand : significand,
        .place = (int32_t)(shift / decoder->grain),
    };
}

void decoder_prepare(struct decoder *decoder, const struct codec *codec, uint32_t grain) {
    decoder->codec = codec;
    decoder->grain = grain;
    if (codec->bytes == 1)
        for (uint32_t code = 0; code < 256; code++)
            decoder->table[code] = decode(decoder, code);
}

/*
 * Elements of one row of the window: `horizontal` advances by `step` bytes from
 * element to element; outside 0 .. width they are +0. Returns whether one of
 * them is no finite number.
 */
static bool load_segment(const struct decoder *decoder, struct element *out, uint32_t count, uint32_t address,
                         uint32_t horizontal, uint32_t step, uint32_t width) {
    bool special = false;
    uint32_t bytes = decoder->codec->bytes;
    for (uint32_t i = 0; i < count; i++, horizontal += step) {
        uint32_t code = 0;
        if (horizontal < width)
            code = element_read((const void *)(uintptr_t)(address + horizontal), bytes, 0);
        out[i] = bytes == 1 ? decoder->table[code] : decode(decoder, code);
        special |= out[i].place >= PLACE_INFINITE;
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

    for (uint32_t done = 0; done < count;) {
        uint32_t left = operand->k_minor ? operand->run - e : operand->major_x - x;
        uint32_t length = left < count - done ? left : count - done;
        uint32_t vertical = y + row - operand->pad_y; /* negative ones are large */
        uint32_t address = operand->address + n * (uint32_t)operand->stride_n + vertical * (uint32_t)operand->stride_y;
        line->special |= load_segment(decoder, line->elements + done, length, address,
                                      x * operand->stride_x + e * bytes - operand->pad_x, step,
                                      vertical < operand->height ? operand->width : 0);
        done += length;
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
