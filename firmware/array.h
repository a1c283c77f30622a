/* Tensors as the kernels see them: elements by index, as codes or as binary32 numbers. */
#ifndef FLOATSOC_ARRAY_H
#define FLOATSOC_ARRAY_H

#include "format.h"

/* The mailbox's format table, prepared; NULL for an index or an entry that is no format. */
const struct codec *codec_find(uint32_t index);

/* Prepare it. To be called before any kernel, since the host may have changed the table. */
void codecs_prepare(void);

struct array {
    void *data;
    const struct codec *codec;
    uint32_t count;
};

/* False if the tensor's format does not exist. */
static inline bool array_open(struct array *array, const struct tensor *tensor) {
    array->data = (void *)(uintptr_t)tensor->address;
    array->codec = codec_find(tensor->format);
    array->count = tensor->count;
    return array->codec != 0;
}

static inline uint32_t element_read(const void *data, uint32_t bytes, uint32_t index) {
    switch (bytes) {
    case 1:
        return ((const uint8_t *)data)[index];
    case 2:
        return ((const uint16_t *)data)[index];
    default:
        return ((const uint32_t *)data)[index];
    }
}

static inline void element_write(void *data, uint32_t bytes, uint32_t index, uint32_t code) {
    switch (bytes) {
    case 1:
        ((uint8_t *)data)[index] = (uint8_t)code;
        break;
    case 2:
        ((uint16_t *)data)[index] = (uint16_t)code;
        break;
    default:
        ((uint32_t *)data)[index] = code;
    }
}

static inline uint32_t array_code(const struct array *array, uint32_t index) {
    return element_read(array->data, array->codec->bytes, index);
}

static inline void array_set_code(const struct array *array, uint32_t index, uint32_t code) {
    element_write(array->data, array->codec->bytes, index, code);
}

static inline float array_load(const struct array *array, uint32_t index) {
    return codec_load(array->codec, array_code(array, index));
}

static inline void array_store(const struct array *array, uint32_t index, float value, uint32_t overflow) {
    array_set_code(array, index, codec_store(array->codec, value, overflow));
}

#endif
