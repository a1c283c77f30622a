#include "random.h"

static uint32_t mix(uint32_t x) {
    x = (x ^ x >> 16) * 0x7feb352du;
    x = (x ^ x >> 15) * 0x846ca68bu;
    return x ^ x >> 16;
}

static uint32_t scramble(uint32_t x) {
    x ^= x >> 16;
    x += x << 9;
    x ^= x >> 14;
    x += x << 6;
    x ^= x >> 11;
    x += x << 13;
    return x ^ x >> 15;
}

static uint32_t stream(uint32_t key, uint32_t number, uint32_t index) { return mix(mix(key + number) + index); }

uint32_t random_word(uint32_t key, uint32_t row, uint32_t column, uint32_t k, uint32_t bits) {
    uint32_t element = scramble(stream(key, 1, row) + stream(key, 2, column));
    return scramble(element + stream(key, 3, k)) >> (32 - bits) << (32 - bits);
}
