/* Accesses to main memory whose number is known, and what the SoC counts meanwhile: see test_bus_counters.py. */
#include "hardware.h"

struct measurements {
    uint32_t done;
    struct cpu_bus_counters nothing, store_words, store_bytes, load_words, load_again;
};

struct measurements measurements;
static uint32_t words[WORDS] __attribute__((aligned(64)));

/* `count` times one instruction: a word or byte is accessed, and the pointer moves on. */
#define ACCESSES(instruction, step)                                                                                    \
    ({                                                                                                                 \
        const char *place_ = (const char *)words, *end_ = place_ + WORDS * (step);                                     \
        __asm__ volatile("1: " instruction "\n addi %0, %0, " #step "\n bne %0, %1, 1b"                                \
                         : "+r"(place_)                                                                                \
                         : "r"(end_)                                                                                   \
                         : "t6", "memory");                                                                            \
    })

/* Twice: the first round brings the code into the cache. Between the latches nothing but `work` is done. */
#define MEASURE(counters, flush, work)                                                                                 \
    for (int round_ = 0; round_ < 2; round_++) {                                                                       \
        __asm__ volatile("" : "+r"(round_)); /* not unrolled: the second round is the same code */                     \
        if (flush)                                                                                                     \
            data_cache_flush();                                                                                        \
        register_write(CSR_CYCLE_COUNTER_LATCH_ADDR, 1);                                                               \
        struct cpu_bus_counters start_ = cpu_bus_count();                                                              \
        work;                                                                                                          \
        register_write(CSR_CYCLE_COUNTER_LATCH_ADDR, 1);                                                               \
        struct cpu_bus_counters end_ = cpu_bus_count();                                                                \
        (counters).reads = end_.reads - start_.reads;                                                                  \
        (counters).writes = end_.writes - start_.writes;                                                               \
        (counters).busy = end_.busy - start_.busy;                                                                     \
    }

int main(void) {
    MEASURE(measurements.nothing, 0, );
    MEASURE(measurements.store_words, 0, ACCESSES("sw t6, 0(%0)", 4));
    MEASURE(measurements.store_bytes, 0, ACCESSES("sb t6, 0(%0)", 1));
    MEASURE(measurements.load_words, 1, ACCESSES("lw t6, 0(%0)", 4));
    MEASURE(measurements.load_again, 0, ACCESSES("lw t6, 0(%0)", 4));
    measurements.done = 1;
    for (;;)
        *(volatile uint32_t *)
            words; /* without a load the smallest CPU would fetch so fast that no store gets through */
}

__attribute__((section(".text.start"), naked)) void _start(void) { __asm__ volatile("la sp, _stack_top\n j main"); }
