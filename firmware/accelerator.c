#include "accelerator.h"

#if HAS_ACCELERATOR

#include <stddef.h>

#define STATUS_DONE 2u

/* The registers follow each other in the order of struct gemm, the counters in that of struct accelerator_counters. */
#define SAME_PLACE(type, field, first, name)                                                                           \
    _Static_assert(CSR_ACCELERATOR_##name##_ADDR - CSR_ACCELERATOR_##first##_ADDR == offsetof(type, field),            \
                   "the register of " #field " is out of order")
SAME_PLACE(struct gemm, scale, M, SCALE);
SAME_PLACE(struct gemm, overflow, M, OVERFLOW);
SAME_PLACE(struct gemm, a.address, M, A_ADDRESS);
SAME_PLACE(struct gemm, a.height, M, A_HEIGHT);
SAME_PLACE(struct gemm, b.address, M, B_ADDRESS);
SAME_PLACE(struct gemm, b.height, M, B_HEIGHT);
SAME_PLACE(struct gemm, c.address, M, C_ADDRESS);
SAME_PLACE(struct gemm, d.pitch, M, D_PITCH);
SAME_PLACE(struct accelerator_counters, bus_wait, CYCLES, BUS_WAIT);

uint32_t accelerator_run(const struct gemm *gemm, struct accelerator_counters *counters) {
    const uint32_t *words = (const uint32_t *)gemm;
    for (uint32_t offset = 0; offset < sizeof *gemm; offset += 4)
        register_write(CSR_ACCELERATOR_M_ADDR + offset, *words++);

    register_write(CSR_ACCELERATOR_START_ADDR, 1);
    while (!(register_read(CSR_ACCELERATOR_STATUS_ADDR) & STATUS_DONE)) {
    }
    data_cache_flush();

    uint32_t *counter = (uint32_t *)counters;
    for (uint32_t offset = 0; offset < sizeof *counters; offset += 4)
        *counter++ = register_read(CSR_ACCELERATOR_CYCLES_ADDR + offset);
    return register_read(CSR_ACCELERATOR_ERROR_ADDR);
}

#else

uint32_t accelerator_run(const struct gemm *gemm, struct accelerator_counters *counters) {
    (void)gemm, (void)counters;
    return 0;
}

#endif
