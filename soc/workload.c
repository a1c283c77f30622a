/*
 * What the simulation is optimised for: a compiler that has seen which way the branches of the
 * verilated model go makes it faster. So this is what firmware does most: binary32 arithmetic in software,
 * loops over bytes and words, calls, a look at the cycle counter; and the same with the accelerator
 * busy on matrix products, every other round.
 */
#include <stdint.h>

#include "csr.h"
#include "plan.h"

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

#ifdef CSR_ACCELERATOR_SUBMIT_ADDR

/* Whatever the elements' size: lines have room for four bytes an element. */
#define M 16
#define N 16
#define K 128
#define LINE(elements) ((elements) * 4)

static uint32_t a[M * LINE(K) / 4], b[K * LINE(N) / 4], d[M * LINE(N) / 4] __attribute__((aligned(16)));
static struct job_record record;
static struct gemm gemm;

static void matrix(struct operand *operand, const uint32_t *words, uint32_t lines, uint32_t elements,
                   uint32_t k_minor) {
    const struct axis one = {.dilation = 1, .unit = 4, .extent = 4};
    operand->address = (uint32_t)(uintptr_t)words;
    operand->k_minor = k_minor;
    operand->run = elements;
    operand->taps = operand->major_y = 1;
    operand->major_x = lines;
    operand->y = operand->x = one;
    operand->x.step = (int32_t)LINE(elements);
    operand->x.unit = LINE(elements);
    operand->x.extent = LINE(elements) * lines;
}

static void fill(uint32_t *words, uint32_t count) {
    for (uint32_t i = 0, hash = 1; i < count; i++, hash = hash * 1664525 + 1013904223)
        words[i] = hash & 0xbfbfbfbf; /* codes of 8 bits without infinities and NaNs */
}

static void describe(void) {
    fill(a, M * LINE(K) / 4);
    fill(b, K * LINE(N) / 4);
    gemm.m = M;
    gemm.n = N;
    gemm.k = K;
    gemm.record = (uint32_t)(uintptr_t)&record;
    gemm.d.address = (uint32_t)(uintptr_t)d;
    gemm.d.pitch = LINE(N);
    matrix(&gemm.a, a, M, K, 1);
    matrix(&gemm.b, b, K, N, 0);
}

/* Submits the product again if the accelerator has ended the one before. */
static void multiply(void) {
    static uint32_t submitted;
    if (*(volatile uint32_t *)CSR_ACCELERATOR_COMPLETED_ADDR == submitted) {
        submitted++;
        *(volatile uint32_t *)CSR_ACCELERATOR_SUBMIT_ADDR = (uint32_t)(uintptr_t)&gemm;
    }
}

#else

static void describe(void) {}
static void multiply(void) {}

#endif

void workload(void) {
    describe();
    for (uint32_t round = 0;; round++) {
        for (uint32_t i = 0; i < COUNT; i++) {
            if (round % 2 == 0 && i % 4 == 0)
                multiply();
            y[i] = multiply_add(x[i], (float)(int32_t)(codes[i] - 128), y[COUNT - 1 - i] + (float)round);
        }
        encode(y, codes, COUNT);
        *(volatile uint32_t *)CSR_CYCLE_COUNTER_LATCH_ADDR = 1;
        x[round % COUNT] = (float)*(volatile uint32_t *)(CSR_CYCLE_COUNTER_VALUE_ADDR + 4);
    }
}

__attribute__((section(".text.start"), naked)) void _start(void) { __asm__ volatile("la sp, _stack_top\n j workload"); }
