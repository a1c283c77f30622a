#include "array.h"

static struct codec codecs[FORMAT_LIMIT];
static bool valid[FORMAT_LIMIT];

COLD void codecs_prepare(void) {
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

/* Loops over elements are written once, and compiled for each size of elements. */
#define INLINE static inline __attribute__((always_inline))
#define FOR_EACH_SIZE(loop, array, ...)                                                                                \
    switch ((array)->codec->bytes) {                                                                                   \
    case 1:                                                                                                            \
        loop(array, 1, __VA_ARGS__);                                                                                   \
        break;                                                                                                         \
    case 2:                                                                                                            \
        loop(array, 2, __VA_ARGS__);                                                                                   \
        break;                                                                                                         \
    default:                                                                                                           \
        loop(array, 4, __VA_ARGS__);                                                                                   \
    }

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

INLINE void read(const struct array *array, uint32_t bytes, uint32_t first, uint32_t count, uint32_t *codes) {
    const void *data = array->data;
    for (uint32_t i = 0; i < count; i++)
        codes[i] = element_read(data, bytes, first + i);
}

INLINE void write(const struct array *array, uint32_t bytes, uint32_t first, uint32_t count, const uint32_t *codes) {
    void *data = array->data;
    for (uint32_t i = 0; i < count; i++)
        element_write(data, bytes, first + i, codes[i]);
}

void array_load(const struct array *array, uint32_t first, uint32_t count, float *values) {
    FOR_EACH_SIZE(load, array, first, count, values)
}

void array_store(const struct array *array, uint32_t first, uint32_t count, const float *values, uint32_t overflow) {
    FOR_EACH_SIZE(store, array, first, count, values, overflow)
}

void array_read(const struct array *array, uint32_t first, uint32_t count, uint32_t *codes) {
    FOR_EACH_SIZE(read, array, first, count, codes)
}

void array_write(const struct array *array, uint32_t first, uint32_t count, const uint32_t *codes) {
    FOR_EACH_SIZE(write, array, first, count, codes)
}
