/* The firmware's outermost loop: tell the host that it is ready, wait for a command, obey it. */
#include "console.h"
#include "executor.h"
#include "hardware.h"
#include "plan.h"

_Noreturn void main(void);
_Noreturn void trap(void);

_Noreturn void main(void) {
    console_print("floatsoc: ready\n");
    mailbox.state = STATE_READY;
    for (;;) {
        data_cache_flush(); /* the host writes main memory behind the CPU's back */
        if (mailbox.command != COMMAND_RUN)
            continue;
        mailbox.command = COMMAND_NONE;
        plan_execute();
        console_print(mailbox.state == STATE_DONE ? "floatsoc: done\n" : "floatsoc: failed\n");
    }
}

#define READ_CSR(name)                                                                                                 \
    ({                                                                                                                 \
        uint32_t value_;                                                                                               \
        __asm__ volatile("csrr %0, " #name : "=r"(value_));                                                            \
        value_;                                                                                                        \
    })

/* Reached from trap_entry in crt0.S. The state is written last: the host looks at the rest once it sees it. */
_Noreturn void trap(void) {
    mailbox.trap_cause = READ_CSR(mcause);
    mailbox.trap_pc = READ_CSR(mepc);
    mailbox.trap_value = READ_CSR(mtval);
    mailbox.state = STATE_TRAP;
    for (;;) {
    }
}
