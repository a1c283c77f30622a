/*
 * What the simulation is optimised for: a compiler that has seen which way the branches of the
 * verilated model go makes it a quarter faster. So this is what firmware does most: binary32 arithmetic
 * in software, loops over bytes and words, calls, and a look at the cycle counter.
 */
#include <stdint.h>

#include "csr.h"

#define COUNT 512

static float x[COUNT], y[COUNT];
static uint8_t codes[COUNT];

static __attribute__((noinline)) float multiply_add(float a, float b, float c) { return a * b + c; }

static __attribute__((noinline)) void encode(const float *values, uint8_t *out, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        union {
            float value;
            uint32_t bits;
        } u = {values[i]};
        out[i] = (uint8_t)(u.bits >> 24 ^ u.bits >> 13 ^ (u.bits & 0x7fffff ? 1 : 0));
    }
}

void workload(void) {
    for (uint32_t round = 0;; round++) {
        for (uint32_t i = 0; i < COUNT; i++)
            y[i] = multiply_add(x[i], (float)(int32_t)(codes[i] - 128), y[COUNT - 1 - i] + (float)round);
        encode(y, codes, COUNT);
        *(volatile uint32_t *)CSR_CYCLE_COUNTER_LATCH_ADDR = 1;
        x[round % COUNT] = (float)*(volatile uint32_t *)(CSR_CYCLE_COUNTER_VALUE_ADDR + 4);
    }
}

__attribute__((section(".text.start"), naked)) void _start(void) { __asm__ volatile("la sp, _stack_top\n j workload"); }
