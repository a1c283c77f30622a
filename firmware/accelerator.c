#include "accelerator.h"

#if HAS_ACCELERATOR

/* A job's error as long as the accelerator has not written it; it cannot where the address of the record is bad. */
#define UNWRITTEN 0xffffffffu

void accelerator_submit(const struct gemm *gemm, struct job_record *job) {
    *(volatile uint32_t *)&job->error = UNWRITTEN;
    register_write(CSR_ACCELERATOR_SUBMIT_ADDR, (uint32_t)(uintptr_t)gemm);
}

uint32_t accelerator_completed(void) { return register_read(CSR_ACCELERATOR_COMPLETED_ADDR); }

enum accelerator_error accelerator_result(const struct job_record *job) {
    data_cache_flush();
    return job->error == UNWRITTEN ? register_read(CSR_ACCELERATOR_ERROR_ADDR) : job->error;
}

#else

void accelerator_submit(const struct gemm *gemm, struct job_record *job) { (void)gemm, (void)job; }

uint32_t accelerator_completed(void) { return 0; }

enum accelerator_error accelerator_result(const struct job_record *job) {
    (void)job;
    return ACCELERATOR_NONE;
}

#endif
