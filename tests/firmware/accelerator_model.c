/*
 * The accelerator as its driver shows it, for tests of the executor: a queue of jobs
 * that the software product runs. Time passes when somebody asks how many jobs are
 * complete, so that jobs wait in the queue as long as the executor lets them.
 */
#include "accelerator.h"
#include "gemm_software.h"

#define JOB_LIMIT 64
#define ASKS_A_JOB 8

static const struct gemm *queue[QUEUE_DEPTH];
static uint32_t submitted, completed, first, asked;

/* What tests set and look at. */
uint32_t model_errors[JOB_LIMIT]; /* of the jobs since model_reset, in order: they end with it, and write nothing */
uint32_t model_most_waiting;      /* the largest number of jobs in the queue that there was */
uint32_t model_overrun;

void model_reset(uint32_t count) {
    submitted = completed = count;
    asked = model_most_waiting = model_overrun = 0;
    for (uint32_t i = 0; i < JOB_LIMIT; i++)
        model_errors[i] = ACCELERATOR_NONE;
    first = count;
}

void accelerator_submit(const struct gemm *gemm, struct job_record *job) {
    (void)job;
    if (submitted - completed == QUEUE_DEPTH) {
        model_overrun = 1;
        return;
    }
    queue[submitted++ % QUEUE_DEPTH] = gemm;
    if (submitted - completed > model_most_waiting)
        model_most_waiting = submitted - completed;
}

uint32_t accelerator_completed(void) {
    if (submitted != completed && ++asked % ASKS_A_JOB == 0) {
        const struct gemm *gemm = queue[completed % QUEUE_DEPTH];
        struct job_record *record = (struct job_record *)(uintptr_t)gemm->record;
        record->error = model_errors[(completed - first) % JOB_LIMIT];
        record->counters.busy = completed - first;
        if (record->error == ACCELERATOR_NONE)
            gemm_software(gemm);
        completed++;
    }
    return completed;
}

enum accelerator_error accelerator_result(const struct job_record *job) { return job->error; }
