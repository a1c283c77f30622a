/* The accelerator's program of simulation_speed.py: a queue of 256 x 256 x 256 products, never empty; the CPU asks
 * whether one has ended, as firmware does while it waits. */
#include <stdint.h>

#include "csr.h"
#include "plan.h"

#define SIZE 256u
#define QUEUED 2

static uint32_t a[SIZE * SIZE / 4], b[SIZE * SIZE / 4], d[SIZE * SIZE]; /* elements of one byte, results of four */
static struct job_record record;
static struct gemm gemm;

static void describe(struct operand *operand, const uint32_t *elements, uint32_t k_minor) {
    const struct axis x = {.step = SIZE, .dilation = 1, .unit = SIZE, .extent = SIZE * SIZE};
    const struct axis y = {.dilation = 1, .unit = 1, .extent = 1};
    operand->address = (uint32_t)(uintptr_t)elements;
    operand->k_minor = k_minor;
    operand->run = operand->major_x = SIZE;
    operand->taps = operand->major_y = 1;
    operand->x = x;
    operand->y = y;
}

int main(void) {
    for (uint32_t i = 0, hash = 1; i < SIZE * SIZE / 4; i++, hash = hash * 1664525 + 1013904223) {
        a[i] = hash & 0xbfbfbfbf; /* e4m3fn and e5m2: no infinities and NaNs */
        b[i] = hash * hash & 0xbfbfbfbf;
    }
    gemm.m = gemm.n = gemm.k = SIZE;
    gemm.record = (uint32_t)(uintptr_t)&record;
    gemm.d.address = (uint32_t)(uintptr_t)d;
    gemm.d.format = RESULT_FORMAT;
    gemm.d.pitch = SIZE * sizeof d[0];
    describe(&gemm.a, a, 1);
    describe(&gemm.b, b, 0);
    for (uint32_t submitted = 0;;)
        if (submitted - *(volatile uint32_t *)CSR_ACCELERATOR_COMPLETED_ADDR < QUEUED) {
            submitted++;
            *(volatile uint32_t *)CSR_ACCELERATOR_SUBMIT_ADDR = (uint32_t)(uintptr_t)&gemm;
        }
}

__attribute__((section(".text.start"), naked)) void _start(void) { __asm__ volatile("la sp, _stack_top\n j main"); }
