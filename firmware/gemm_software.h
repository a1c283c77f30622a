/* The matrix product on the CPU: for a SoC without the accelerator, and with the same bits. */
#ifndef FLOATSOC_GEMM_SOFTWARE_H
#define FLOATSOC_GEMM_SOFTWARE_H

#include "plan.h"

/* Accumulates as the mailbox says. */
enum plan_error gemm_software(const struct gemm *gemm);

#endif
