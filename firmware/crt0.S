/*
 * Reset and traps. The CPU starts at the first word of main memory, where the
 * linker script places this section. Everything is loaded already, so start-up
 * sets the stack, clears .bss and calls main, which never returns.
 *
 * No trap is expected (interrupts stay disabled), so none is returned from: the
 * stack, which may be what went wrong, starts afresh and trap() reports and parks.
 */
    .section .text.start, "ax", @progbits
    .globl _start
_start:
    la      sp, _stack_top
    la      t0, trap_entry
    csrw    mtvec, t0
    la      t0, _bss_start
    la      t1, _bss_end
1:  bgeu    t0, t1, 2f
    sw      zero, 0(t0)
    addi    t0, t0, 4
    j       1b
2:  j       main

    .balign 4
trap_entry:
    la      sp, _stack_top
    j       trap
