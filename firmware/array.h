/* Tensors as the kernels see them: blocks of binary32 numbers, or single codes. */
#ifndef FLOATSOC_ARRAY_H
#define FLOATSOC_ARRAY_H

#include "format.h"

/*
 * Elements that a kernel takes at a time: it loads a block, computes, stores a
 * block. Each of these loops is short and shares the instruction cache (4 KiB,
 * direct-mapped) with the soft-float function that it calls; a loop over all three
 * does not, and took up to 1.7 times the cycles.
 */
#define BLOCK 64

/* The memory at a byte address. Models of the accelerator on other machines define it otherwise. */
#ifndef MEMORY_AT
#define MEMORY_AT(address) ((void *)(uintptr_t)(address))
#endif

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
bool array_open(struct array *array, const struct tensor *tensor);

/* values[i] = element first + i, as binary32, for i < count */
void array_load(const struct array *array, uint32_t first, uint32_t count, float *values);

/* element first + i = values[i], rounded, for i < count */
void array_store(const struct array *array, uint32_t first, uint32_t count, const float *values, uint32_t overflow);

/* The same with codes as they are. */
void array_read(const struct array *array, uint32_t first, uint32_t count, uint32_t *codes);
void array_write(const struct array *array, uint32_t first, uint32_t count, const uint32_t *codes);

static inline uint32_t minimum(uint32_t a, uint32_t b) { return a < b ? a : b; }

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

static inline void *matrix_row(const struct matrix *matrix, uint32_t row) {
    return MEMORY_AT(matrix->address + row * matrix->pitch);
}

static inline uint32_t matrix_code(const struct matrix *matrix, const struct codec *codec, uint32_t row,
                                   uint32_t column) {
    return element_read(matrix_row(matrix, row), codec->bytes, column);
}

static inline void array_set_code(const struct array *array, uint32_t index, uint32_t code) {
    element_write(array->data, array->codec->bytes, index, code);
}

#endif
