/* What the test of profiles runs: calls whose cycles are known in proportion, between two latches of the counter. */
#include "hardware.h"

#define NOINLINE static __attribute__((noinline))

struct measured {
    uint32_t done, cycles;
};

volatile struct measured measured;

/* `count` rounds of two instructions. */
#define SPIN(count)                                                                                                    \
    ({                                                                                                                 \
        uint32_t left_ = (count);                                                                                      \
        __asm__ volatile("1: addi %0, %0, -1\n bnez %0, 1b" : "+r"(left_));                                            \
    })

NOINLINE void hot(void) { SPIN(5000); }

NOINLINE void cold(void) { SPIN(50); }

static inline __attribute__((always_inline)) void folded(void) { SPIN(500); }

NOINLINE void warm(void) {
    cold();
    hot();
    folded();
    __asm__ volatile(""); /* no jump to the last call */
}

NOINLINE uint32_t recurse(uint32_t depth) {
    SPIN(50);
    return depth ? recurse(depth - 1) << 1 ^ depth : 0; /* no loop can do that */
}

NOINLINE void last(void) { SPIN(200); }

NOINLINE void jumps_to_last(void) {
    SPIN(100);
    last();
}

static void (*volatile indirect)(void) = cold;

int main(void) {
    uint64_t begin = cycle_count();
    warm();
    hot();
    recurse(3);
    jumps_to_last();
    indirect();
    measured.cycles = (uint32_t)(cycle_count() - begin);
    measured.done = 1;
    for (;;)
        __asm__ volatile("nop");
}

__attribute__((section(".text.start"), naked)) void _start(void) { __asm__ volatile("la sp, _stack_top\n j main"); }
