#include "executor.h"

#include "accelerator.h"
#include "array.h"
#include "gemm_software.h"
#include "hardware.h"
#include "kernels.h"
#include "plan.h"

/* Initialised data, not .bss: what the host wrote before reset must survive start-up. */
__attribute__((section(".data.mailbox"), aligned(64))) volatile struct mailbox mailbox;

/* The host reads everything else once it sees the state, so all other stores come first. */
static void set_state(enum state state) {
    __asm__ volatile("" ::: "memory");
    mailbox.state = state;
}

static enum plan_error run_kernel(const struct kernel *kernel) {
    switch (kernel->kind) {
    case KERNEL_GEMM:
        return gemm_software(&kernel->gemm);
    case KERNEL_CONVERT:
        return kernel_convert(&kernel->convert);
    case KERNEL_BIAS_GRADIENT:
        return kernel_bias_gradient(&kernel->bias_gradient);
    case KERNEL_RELU:
        return kernel_relu(&kernel->relu);
    case KERNEL_RELU_GRADIENT:
        return kernel_relu_gradient(&kernel->relu_gradient);
    case KERNEL_MAX_POOL:
        return kernel_max_pool(&kernel->max_pool);
    case KERNEL_MAX_POOL_GRADIENT:
        return kernel_max_pool_gradient(&kernel->max_pool_gradient);
    case KERNEL_SOFTMAX_CROSS_ENTROPY:
        return kernel_softmax_cross_entropy(&kernel->softmax_cross_entropy);
    case KERNEL_SGD:
        return kernel_sgd(&kernel->sgd);
    default:
        return ERROR_KERNEL_KIND;
    }
}

struct moment {
    uint64_t cycles, instructions;
    struct cpu_bus_counters cpu_bus;
};

static struct moment now(void) {
    struct moment moment = {.instructions = instruction_count()};
    moment.cycles = cycle_count();
    moment.cpu_bus = cpu_bus_count();
    return moment;
}

/*
 * Kernels run in the plan's order: `ended` of them have ended, `begun` have begun.
 * Those between the two are jobs in the accelerator's queue, at most QUEUE_DEPTH.
 */
static struct {
    struct record *records;
    uint32_t ended, begun;
    uint32_t completed;                /* the accelerator's count when all kernels that have ended had ended */
    struct moment begins[QUEUE_DEPTH]; /* of the kernels that have begun and not ended, by index modulo QUEUE_DEPTH */
    struct moment end;                 /* of the last kernel that has ended */
    enum plan_error error;             /* of the first kernel that failed */
} run;

static void begin_kernel(void) { run.begins[run.begun++ % QUEUE_DEPTH] = now(); }

/* The first kernel that has not ended now does. The mailbox stays at the first one that failed. */
static void end_kernel(struct moment end, uint32_t on_accelerator, enum plan_error error) {
    struct moment begin = run.begins[run.ended % QUEUE_DEPTH];
    if (begin.cycles < run.end.cycles)
        begin = run.end;
    uint64_t cycles = end.cycles - begin.cycles, instructions = end.instructions - begin.instructions;
    struct record *record = &run.records[run.ended++];
    record->begin_low = (uint32_t)begin.cycles;
    record->begin_high = (uint32_t)(begin.cycles >> 32);
    record->cycles_low = (uint32_t)cycles;
    record->cycles_high = (uint32_t)(cycles >> 32);
    record->instructions_low = (uint32_t)instructions;
    record->instructions_high = (uint32_t)(instructions >> 32);
    record->cpu_bus.reads = end.cpu_bus.reads - begin.cpu_bus.reads;
    record->cpu_bus.writes = end.cpu_bus.writes - begin.cpu_bus.writes;
    record->cpu_bus.busy = end.cpu_bus.busy - begin.cpu_bus.busy;
    record->on_accelerator = on_accelerator;
    run.end = end;
    if (run.error == ERROR_NONE) {
        run.error = error;
        mailbox.current = error == ERROR_NONE ? run.ended : run.ended - 1;
    }
}

/* The first job of the queue is complete. */
static void end_job(void) {
    struct moment end = now();
    run.completed++;
    enum accelerator_error error = accelerator_result(&run.records[run.ended].job);
    if (run.error == ERROR_NONE)
        mailbox.accelerator_error = error;
    end_kernel(end, 1, error == ACCELERATOR_NONE ? ERROR_NONE : ERROR_ACCELERATOR);
}

/* Ends the jobs that are complete, and waits until at most `left` are in the queue. */
static void end_jobs(uint32_t left) {
    while (run.begun != run.ended) {
        if (accelerator_completed() != run.completed)
            end_job();
        else if (run.begun - run.ended <= left)
            return;
    }
}

void plan_execute(void) {
    run.error = mailbox.plan_magic == PLAN_MAGIC ? ERROR_NONE : ERROR_PLAN_MAGIC;
    mailbox.current = 0;
    mailbox.error = ERROR_NONE;
    mailbox.accelerator_error = ACCELERATOR_NONE;
    set_state(STATE_RUNNING);
    codecs_prepare();

    const struct kernel *kernels = (const struct kernel *)(uintptr_t)mailbox.kernels;
    run.records = (struct record *)(uintptr_t)mailbox.records;
    run.ended = run.begun = 0;
    run.completed = accelerator_completed();
    uint32_t count = mailbox.kernel_count;
    struct moment start = run.end = now();
    while (run.error == ERROR_NONE && run.begun < count) {
        const struct kernel *kernel = &kernels[run.begun];
        bool job = HAS_ACCELERATOR && kernel->kind == KERNEL_GEMM;
        end_jobs(job ? QUEUE_DEPTH - 1 : 0);
        if (run.error != ERROR_NONE)
            break;
        begin_kernel();
        if (job) {
            accelerator_submit(&kernel->gemm, &run.records[run.begun - 1].job);
        } else {
            enum plan_error error = run_kernel(kernel);
            end_kernel(now(), 0, error);
        }
    }
    end_jobs(0);
    uint64_t cycles = run.end.cycles - start.cycles;
    mailbox.cycles_low = (uint32_t)cycles;
    mailbox.cycles_high = (uint32_t)(cycles >> 32);
    mailbox.error = run.error;
    set_state(run.error == ERROR_NONE ? STATE_DONE : STATE_FAILED);
}
