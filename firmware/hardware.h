/*
 * The SoC's registers, by the names LiteX gives them in the generated csr.h
 * (CSR_<peripheral>_<register>_ADDR). A peripheral that a SoC does not have has
 * no such macro, and its driver compiles to nothing.
 */
#ifndef FLOATSOC_HARDWARE_H
#define FLOATSOC_HARDWARE_H

#include <stdint.h>

#include "csr.h"
#include "plan.h"

static inline uint32_t register_read(uint32_t address) { return *(volatile uint32_t *)(uintptr_t)address; }

static inline void register_write(uint32_t address, uint32_t value) {
    *(volatile uint32_t *)(uintptr_t)address = value;
}

/*
 * Make what others wrote to main memory (the host, the accelerator) visible to
 * loads. VexRiscv's data cache writes through, so nothing is lost; 0x500f is its
 * own instruction to invalidate it. CPU variants without a data cache trap on it.
 */
static inline void data_cache_flush(void) {
#ifdef CPU_HAS_DATA_CACHE
    __asm__ volatile(".word 0x500f" ::: "memory");
#else
    __asm__ volatile("" ::: "memory");
#endif
}

/* Cycles since reset; 0 on a SoC without the counter. */
static inline uint64_t cycle_count(void) {
#ifdef CSR_CYCLE_COUNTER_LATCH_ADDR
    /* The latch copies all 64 bits at once; LiteX puts the upper word first. */
    register_write(CSR_CYCLE_COUNTER_LATCH_ADDR, 1);
    uint32_t high = register_read(CSR_CYCLE_COUNTER_VALUE_ADDR);
    return (uint64_t)high << 32 | register_read(CSR_CYCLE_COUNTER_VALUE_ADDR + 4);
#else
    return 0;
#endif
}

/* What the CPU's buses moved until the last `cycle_count`, which latches these counts too; 0 on a SoC without them. */
static inline struct cpu_bus_counters cpu_bus_count(void) {
    struct cpu_bus_counters counters = {0, 0, 0};
#ifdef CSR_CPU_BUS_READS_ADDR
    counters.reads = register_read(CSR_CPU_BUS_READS_ADDR);
    counters.writes = register_read(CSR_CPU_BUS_WRITES_ADDR);
    counters.busy = register_read(CSR_CPU_BUS_BUSY_ADDR);
#endif
    return counters;
}

/* Instructions retired since reset. VexRiscv variants other than `full` have no counter and read 0. */
static inline uint64_t instruction_count(void) {
    uint32_t high = 0, low = 0;
#ifdef __riscv /* the tests run the executor on other machines */
    uint32_t again;
    do {
        __asm__ volatile("rdinstreth %0" : "=r"(high));
        __asm__ volatile("rdinstret %0" : "=r"(low));
        __asm__ volatile("rdinstreth %0" : "=r"(again));
    } while (high != again);
#endif
    return (uint64_t)high << 32 | low;
}

#endif
