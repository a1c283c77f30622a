/* Binary32 numbers and their codes. */
#ifndef FLOATSOC_BITS_H
#define FLOATSOC_BITS_H

#include <stdint.h>

/* Done once, so kept away from the loops that compete for the instruction cache (4 KiB, direct-mapped). */
#define COLD __attribute__((cold))

#define BINARY32_SIGN 0x80000000u
#define BINARY32_INFINITY 0x7f800000u
#define BINARY32_NAN 0x7fc00000u /* canonical: positive and quiet */
#define BINARY32_MIN_NORMAL 0x00800000u

static inline float float_from_bits(uint32_t bits) {
    float value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t bits_from_float(float value) {
    uint32_t bits;
    __builtin_memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* 2^n, -126 <= n <= 127 */
static inline float power_of_two(int32_t n) { return float_from_bits((uint32_t)(n + 127) << 23); }

#endif
