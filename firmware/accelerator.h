/* The matrix product in hardware. */
#ifndef FLOATSOC_ACCELERATOR_H
#define FLOATSOC_ACCELERATOR_H

#include "hardware.h"
#include "plan.h"

#ifdef CSR_ACCELERATOR_START_ADDR
#define HAS_ACCELERATOR 1
#else
#define HAS_ACCELERATOR 0
#endif

/* Runs one product to its end and fills in its counters. Returns the accelerator's error code, 0 for none. */
uint32_t accelerator_run(const struct gemm *gemm, struct accelerator_counters *counters);

#endif
