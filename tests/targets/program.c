/* What the tests of targets run: the firmware's start-up, main loop and trap handler, but this instead of plans. */
#include "console.h"
#include "executor.h"
#include "hardware.h"
#include "plan.h"

volatile struct mailbox mailbox __attribute__((section(".data"))) = {.state = STATE_RESET};

enum task { TASK_SUM = 1, TASK_PRINT, TASK_ILLEGAL, TASK_MISALIGNED, TASK_NOWHERE, TASK_SPIN, TASK_REFUSE };

static void __attribute__((noinline)) spin(void) {
    for (;;)
        __asm__ volatile("nop"); /* an empty loop would have no line */
}

static uint32_t sum(const uint8_t *bytes, uint32_t count) {
    uint32_t total = 0;
    for (uint32_t i = 0; i < count; i++)
        total += bytes[i];
    return total;
}

static uint32_t __attribute__((noinline)) load(uint32_t address) { return *(volatile uint32_t *)address; }

/* plan_magic chooses the task, kernels and kernel_count are its arguments. */
void plan_execute(void) {
    mailbox.state = STATE_RUNNING;
    mailbox.current = 7;
    uint64_t begin = cycle_count();
    switch ((enum task)mailbox.plan_magic) {
    case TASK_SUM:
        mailbox.error = sum((const uint8_t *)mailbox.kernels, mailbox.kernel_count);
        break;
    case TASK_PRINT:
        for (uint32_t i = 0; i < mailbox.kernel_count; i++)
            console_print("0123456789abcdef");
        console_print("\n");
        break;
    case TASK_ILLEGAL:
        __asm__ volatile(".word 0xffffffff");
        break;
    case TASK_MISALIGNED:
        load(0x40000002);
        break;
    case TASK_NOWHERE:
        load(0x90000000);
        break;
    case TASK_SPIN:
        spin();
    case TASK_REFUSE:
        mailbox.error = ERROR_FORMAT;
        mailbox.state = STATE_FAILED;
        return;
    }
    uint64_t cycles = cycle_count() - begin;
    mailbox.cycles_low = (uint32_t)cycles;
    mailbox.cycles_high = (uint32_t)(cycles >> 32);
    mailbox.state = STATE_DONE;
}
