/* The matrix product in hardware: a queue of jobs that the accelerator reads from memory and runs in order. */
#ifndef FLOATSOC_ACCELERATOR_H
#define FLOATSOC_ACCELERATOR_H

#include "hardware.h"
#include "plan.h"

#ifdef CSR_ACCELERATOR_SUBMIT_ADDR
#define HAS_ACCELERATOR 1
#else
#define HAS_ACCELERATOR 0
#endif

/* Jobs that may be submitted and not complete: so many fit the queue, whatever the accelerator has taken out of it. */
#define QUEUE_DEPTH 4

/* Appends a job, which must stay as it is until it is complete. `job` is where its gemm->record points. */
void accelerator_submit(const struct gemm *gemm, struct job_record *job);

/* How many jobs are complete, modulo 2^32. */
uint32_t accelerator_completed(void);

/* How a job that is complete ended. Makes what the accelerator wrote visible to loads. */
enum accelerator_error accelerator_result(const struct job_record *job);

#endif
