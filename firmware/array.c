#include "array.h"

static struct codec codecs[FORMAT_LIMIT];
static bool valid[FORMAT_LIMIT];

void codecs_prepare(void) {
    for (uint32_t i = 0; i < FORMAT_LIMIT; i++) {
        struct format format = mailbox.formats[i];
        valid[i] = codec_prepare(&codecs[i], &format);
    }
}

const struct codec *codec_find(uint32_t index) { return index < FORMAT_LIMIT && valid[index] ? &codecs[index] : 0; }

bool array_open(struct array *array, const struct tensor *tensor) {
    array->data = (void *)(uintptr_t)tensor->address;
    array->codec = codec_find(tensor->format);
    array->count = tensor->count;
    return array->codec != 0;
}

/* Inlined with a constant number of bytes, so that it is decided outside the loop. */
#define INLINE static inline __attribute__((always_inline))

INLINE void load(const struct array *array, uint32_t bytes, uint32_t first, uint32_t count, float *values) {
    const struct codec *codec = array->codec;
    const void *data = array->data;
    struct short_cut cut = codec->short_cut;
    for (uint32_t i = 0; i < count; i++)
        values[i] = codec_load(codec, cut, element_read(data, bytes, first + i));
}

INLINE void store(const struct array *array, uint32_t bytes, uint32_t first, uint32_t count, const float *values,
                  uint32_t overflow) {
    const struct codec *codec = array->codec;
    void *data = array->data;
    struct short_cut cut = codec->short_cut;
    for (uint32_t i = 0; i < count; i++)
        element_write(data, bytes, first + i, codec_store(codec, cut, values[i], overflow));
}

void array_load(const struct array *array, uint32_t first, uint32_t count, float *values) {
    switch (array->codec->bytes) {
    case 1:
        load(array, 1, first, count, values);
        break;
    case 2:
        load(array, 2, first, count, values);
        break;
    default:
        load(array, 4, first, count, values);
    }
}

void array_store(const struct array *array, uint32_t first, uint32_t count, const float *values, uint32_t overflow) {
    switch (array->codec->bytes) {
    case 1:
        store(array, 1, first, count, values, overflow);
        break;
    case 2:
        store(array, 2, first, count, values, overflow);
        break;
    default:
        store(array, 4, first, count, values, overflow);
    }
}
