#include "executor.h"

#include <stdbool.h>

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

static enum plan_error run_gemm(const struct gemm *gemm, struct record *record) {
    if (!HAS_ACCELERATOR)
        return gemm_software(gemm);
    record->on_accelerator = 1;
    mailbox.accelerator_error = accelerator_run(gemm, &record->accelerator);
    return mailbox.accelerator_error ? ERROR_ACCELERATOR : ERROR_NONE;
}

static enum plan_error run_kernel(const struct kernel *kernel, struct record *record) {
    switch (kernel->kind) {
    case KERNEL_GEMM:
        return run_gemm(&kernel->gemm, record);
    case KERNEL_CONVERT:
        return kernel_convert(&kernel->convert);
    case KERNEL_BIAS:
        return kernel_bias(&kernel->bias);
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

/* Runs one kernel and writes its record. */
static enum plan_error measure_kernel(const struct kernel *kernel, struct record *record) {
    struct record result = {0};
    uint64_t instructions = instruction_count();
    uint64_t cycles = cycle_count();
    enum plan_error error = run_kernel(kernel, &result);
    cycles = cycle_count() - cycles;
    instructions = instruction_count() - instructions;

    result.cycles_low = (uint32_t)cycles;
    result.cycles_high = (uint32_t)(cycles >> 32);
    result.instructions_low = (uint32_t)instructions;
    result.instructions_high = (uint32_t)(instructions >> 32);
    *record = result;
    return error;
}

void plan_execute(void) {
    enum plan_error error = mailbox.plan_magic == PLAN_MAGIC ? ERROR_NONE : ERROR_PLAN_MAGIC;
    mailbox.current = 0;
    mailbox.error = ERROR_NONE;
    mailbox.accelerator_error = 0;
    set_state(STATE_RUNNING);
    codecs_prepare();

    const struct kernel *kernels = (const struct kernel *)(uintptr_t)mailbox.kernels;
    struct record *records = (struct record *)(uintptr_t)mailbox.records;
    uint32_t count = mailbox.kernel_count;
    uint64_t start = cycle_count();
    for (uint32_t i = 0; i < count && error == ERROR_NONE; i++) {
        mailbox.current = i;
        error = measure_kernel(&kernels[i], &records[i]);
    }
    uint64_t cycles = cycle_count() - start;
    mailbox.cycles_low = (uint32_t)cycles;
    mailbox.cycles_high = (uint32_t)(cycles >> 32);
    mailbox.error = error;
    set_state(error == ERROR_NONE ? STATE_DONE : STATE_FAILED);
}
