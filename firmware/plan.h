/*
 * The structs that host and firmware share: a plan is an array of kernel
 * calls on tensors that the host has placed in main memory.
 *
 * They are declared here and nowhere else. The host reads sizes, offsets and
 * enumerators from the ELF's DWARF, and finds `mailbox` by its symbol, so a
 * field may be added or moved without touching Python. Every field is a
 * 32-bit word (or an array of them): no padding on any compiler.
 *
 * Byte addresses are absolute. A tensor element occupies 1, 2 or 4 bytes:
 * the smallest power of two that holds the format's bits.
 */
#ifndef FLOATSOC_PLAN_H
#define FLOATSOC_PLAN_H

#include <stdint.h>

#define FORMAT_LIMIT 16  /* entries of the mailbox's format table */
#define CLASS_LIMIT 1024 /* most classes of a softmax */

/* "FLSP": the host says that the mailbox holds a plan. An enumerator, so that the host reads it from the DWARF. */
enum plan_magic { PLAN_MAGIC = 0x464c5350 };

/* How a format spends its codes on infinities, NaNs and -0. */
enum format_style {
    STYLE_IEEE = 0,           /* exponent all ones: infinities and NaNs */
    STYLE_FN = 1,             /* no infinity; NaN is all ones (both signs) */
    STYLE_FNUZ = 2,           /* no infinity, no -0; NaN is the code of -0 */
    STYLE_FINITE = 3,         /* neither infinity nor NaN: overflow saturates, NaN becomes +0 */
    STYLE_P3109_EXTENDED = 4, /* no -0; NaN is its code or, without a sign bit, all ones; infinity is below */
    STYLE_P3109_FINITE = 5,   /* the same without infinity */
    STYLE_POSIT = 6,          /* exponent_bits is es; NaR is the code of -0 */
    STYLE_UNKNOWN,            /* firmware does not know it */
};

/* A float format, binary ones with value = (-1)^s * 2^(e - bias) * 1.f; see docs/numerics.md. */
struct format {
    uint32_t bits; /* of a code; without one for the sign, the format is unsigned */
    uint32_t exponent_bits;
    uint32_t fraction_bits;
    int32_t bias;
    uint32_t style;      /* enum format_style */
    uint32_t subnormals; /* 0: subnormals are read and written as zero of their sign */
};

/* What an encoder does beyond the largest finite value, and its rounding (nearest even). */
enum overflow {
    OVERFLOW_IEEE = 0,     /* to infinity, or NaN where the format has no infinity */
    OVERFLOW_SATURATE = 1, /* to the largest finite value of that sign; NaN stays NaN */
};

/* A dense array of `count` elements; its shape is the kernel's business. */
struct tensor {
    uint32_t address;
    uint32_t format; /* index into mailbox.formats */
    uint32_t count;
};

/* How the accelerator and the software product round at write-back. */
enum rounding {
    ROUNDING_NEAREST_EVEN = 0,
    ROUNDING_TOWARD_ZERO = 1,
    ROUNDING_STOCHASTIC = 2, /* random_bits bits of a hash of random_key and the element's place: docs/numerics.md */
};

/*
 * One axis of an operand's window. Positions on it are numbered as if
 * `dilation` - 1 holes followed each position of the tensor:
 *
 *   position = start + i * step + j * tap      i along major, j along minor
 *
 * and kept as a quotient, in bytes, and a remainder, the phase: position =
 * bytes / unit * dilation + phase. A position whose phase is not 0 is a hole.
 */
struct axis {
    int32_t start; /* bytes */
    uint32_t start_phase;
    int32_t step; /* bytes, along major */
    uint32_t step_phase;
    int32_t tap; /* bytes, along minor */
    uint32_t tap_phase;
    uint32_t dilation; /* 1 or more; every phase is below it */
    uint32_t unit;     /* bytes from a position of the tensor to the next */
    uint32_t extent;   /* bytes */
};

/*
 * One operand of a matrix product, seen as a matrix of `major` lines by
 * `minor` elements, where neighbours along minor lie next to each other in
 * memory within runs:
 *
 *   major index v = (n * major_y + y) * major_x + x      (n unbounded)
 *   minor index u = (row * taps + column) * run + e      0 <= e < run, 0 <= column < taps
 *
 *   across  = position on axis x of x and column, in bytes, + e * size
 *   down    = position on axis y of y and row, in bytes
 *   address = base + n * stride_n + down + across
 *
 * The element is +0 unless both phases are 0, 0 <= across < x.extent and
 * 0 <= down < y.extent. So a plain matrix, a convolution's window with its
 * stride, dilation, groups and zero padding, the rotated kernel of the backward
 * pass and the holes between the gradients of a strided convolution are the
 * same thing, and nobody copies data to rearrange it. `size` is the element's bytes.
 */
struct operand {
    uint32_t address;
    uint32_t format;
    uint32_t k_minor; /* 1: the product's k runs along minor; 0: along major */
    uint32_t run;     /* elements */
    uint32_t taps;
    uint32_t major_x;
    uint32_t major_y;
    int32_t stride_n; /* bytes */
    struct axis x, y;
};

/* A row-major matrix. Address 0 means there is none; pitch 0 repeats one row. */
struct matrix {
    uint32_t address;
    uint32_t format;
    uint32_t pitch; /* bytes from row to row */
};

enum gemm_flags {
    GEMM_RELU = 1,       /* negative elements of D become +0 */
    GEMM_AFTER = 2,      /* the accelerator begins to read when all earlier jobs are complete */
    GEMM_A_RESIDENT = 4, /* A is what the job before left in the accelerator */
    GEMM_B_RESIDENT = 8, /* the same for B */
};

/*
 * sum  = C[m,n] + sum over k, ascending, of A[m,k] * B[k,n]         in the accumulator
 * wide = 2^scale * sum                                             without an addend
 * wide = round_binary32( 2^scale * sum ) + addend[m,n]             with one: exact, after a rounding to nearest even
 * D    = round_D(wide); GEMM_RELU: +0 where it is negative; mask: +0 unless mask[m,n] > 0 or NaN
 *
 * The accelerator reads this struct itself; it lies at a multiple of 16 bytes and is a multiple of 16 bytes long.
 */
struct gemm {
    uint32_t m, n, k;
    uint32_t record; /* address of the struct job_record that the accelerator writes, a multiple of 16 */
    int32_t scale;
    uint32_t overflow; /* enum overflow, at write-back */
    uint32_t rounding; /* enum rounding, at write-back */
    uint32_t flags;    /* enum gemm_flags */
    uint32_t random_bits, random_key;
    uint32_t chain_random_bits, chain_random_key; /* bits 0: a chain rounds to nearest even */
    struct matrix c, d, addend, mask;
    struct operand a, b;
} __attribute__((aligned(16)));

enum kernel_kind {
    KERNEL_GEMM = 1,
    KERNEL_CONVERT,
    KERNEL_BIAS_GRADIENT,
    KERNEL_RELU,
    KERNEL_RELU_GRADIENT,
    KERNEL_MAX_POOL,
    KERNEL_MAX_POOL_GRADIENT,
    KERNEL_SOFTMAX_CROSS_ENTROPY,
    KERNEL_SGD,
};

/*
 * Kernels other than GEMM work in binary32, one rounding an operation, in the
 * order written; `load` decodes an element (exact), `store` rounds a binary32
 * to the tensor's format, to nearest even, with the kernel's overflow rule.
 * Tensors are NHWC; `channels` is the innermost extent.
 */

/* y[i] = store(load(x[i])) */
struct convert {
    struct tensor x, y;
    uint32_t overflow;
};

/*
 * bias_gradient[c] = store(load(scale) * sum over r, ascending from +0, of load(gradient[r,c])),
 * gradient.count = rows * channels
 */
struct bias_gradient {
    struct tensor gradient, bias_gradient;
    uint32_t channels, overflow;
    uint32_t scale; /* binary32 code of a power of two */
};

/* y[i] = store(x > 0 ? x : +0); NaN stays NaN */
struct relu {
    struct tensor x, y;
    uint32_t overflow;
};

/* x_gradient[i] = y[i] > 0 or NaN ? y_gradient[i] : +0; the gradients share a format: codes are copied */
struct relu_gradient {
    struct tensor y, y_gradient, x_gradient;
};

/*
 * Square windows of `window` by `window`, stride `window`, no padding; height and
 * width are x's and need not divide: what remains at the edge is not looked at.
 * The first of equal elements wins, scanning rows then columns; a NaN wins over
 * numbers, the first NaN over later ones; -0 equals +0. x and y share a format.
 */
struct max_pool {
    struct tensor x, y;
    uint32_t images, height, width, channels, window;
};

/* The winner (found again from x) receives y_gradient's code; every other element of x_gradient is +0. */
struct max_pool_gradient {
    struct tensor x, y_gradient, x_gradient;
    uint32_t images, height, width, channels, window;
};

/*
 * For each row of logits[rows, classes], with t = label:
 *   top = max of the row (first wins; a NaN anywhere makes the row's results NaN)
 *   e[j] = exp(z[j] - top);  sum = e[0] + e[1] + ... (ascending from +0)
 *   loss[row] = log(sum) - (z[t] - top)
 *   gradient[row,j] = store(scale * (e[j] / sum - (j == t ? 1 : 0)))
 * exp and log are elementary.c's. labels are 32-bit integers. loss is binary32-stored via its format.
 */
struct softmax_cross_entropy {
    struct tensor logits, labels, gradient, loss;
    uint32_t rows, classes, overflow;
    uint32_t scale; /* binary32 code: loss scale / batch */
};

/*
 * v = momentum * v + g;  w = w - learning_rate * v;  both stored in place. Each product and sum is rounded to
 * binary32; the second line works on the v of the first, before it is rounded to velocity's format.
 */
struct sgd {
    struct tensor weight, velocity, gradient;
    uint32_t learning_rate, momentum; /* binary32 codes */
    uint32_t overflow;
};

struct kernel {
    uint32_t kind; /* enum kernel_kind */
    union {
        struct gemm gemm;
        struct convert convert;
        struct bias_gradient bias_gradient;
        struct relu relu;
        struct relu_gradient relu_gradient;
        struct max_pool max_pool;
        struct max_pool_gradient max_pool_gradient;
        struct softmax_cross_entropy softmax_cross_entropy;
        struct sgd sgd;
    };
};

/* What the accelerator counted for one job, in cycles unless said otherwise; see docs/hardware.md. */
struct accelerator_counters {
    uint32_t macs_low, macs_high; /* products added, a number */
    uint32_t cycles;              /* = busy + wait_a + wait_b + wait_store */
    uint32_t busy;                /* the array took a step */
    uint32_t wait_a;              /* idle, A, C or the job itself not there */
    uint32_t wait_b;              /* idle, B not there (and A was) */
    uint32_t wait_store;          /* idle, write-back in progress */
    uint32_t dma_beats;           /* bus words read and written, a number */
    uint32_t bus_wait;            /* a request was held up by the bus */
};

/* Why the accelerator did not run a job (D was not touched), or ended it early (OPERAND: D may be partly written). */
enum accelerator_error {
    ACCELERATOR_NONE = 0,
    ACCELERATOR_OVERRUN = 1,     /* a job was submitted while the queue was full; it is forgotten */
    ACCELERATOR_DIMENSION = 2,   /* m, n or k is 0 or more than 65,535 */
    ACCELERATOR_FORMAT = 3,      /* A, B or C has no operand format, or D, addend or mask none of the accelerator's */
    ACCELERATOR_WINDOW = 4,      /* of A or B: an extent or dilation is 0 or too large, or a phase not below it */
    ACCELERATOR_ALIGNMENT = 5,   /* an address, stride, step or pitch is no multiple of its element's bytes */
    ACCELERATOR_RESULT = 6,      /* D does not lie in main memory, or its pitch is shorter than its row */
    ACCELERATOR_OPERAND = 7,     /* a read of A, B, C, addend or mask would leave main memory: found when it is due */
    ACCELERATOR_RESIDENT = 8,    /* declared resident, but not what the job before left */
    ACCELERATOR_RECORD = 9,      /* the record does not lie in main memory, or at no multiple of 16 */
    ACCELERATOR_DESCRIPTOR = 10, /* the same for the job itself */
    ACCELERATOR_ROUNDING = 11,   /* no such mode, random bits outside 1 to 24, or no stochastic rounding generated */
};

/* Written by the accelerator when a job ends, last of all. */
struct job_record {
    uint32_t error; /* enum accelerator_error */
    struct accelerator_counters counters;
    uint32_t reserved[2];
} __attribute__((aligned(16)));

/* Words that the CPU's buses move between main memory and the CPU, caches included; modulo 2^32. */
struct cpu_bus_counters {
    uint32_t reads, writes; /* words, a number */
    uint32_t busy;          /* cycles in which one is under way or waits */
};

/*
 * One per kernel, written when it ends. A kernel begins when the firmware starts or
 * submits it, or when the kernel before has ended, whichever is later.
 */
struct record {
    struct job_record job;                        /* of a matrix product on the accelerator: its gemm.record */
    uint32_t begin_low, begin_high;               /* the SoC's counter of cycles when this kernel began */
    uint32_t cycles_low, cycles_high;             /* of this kernel, by the same counter */
    uint32_t instructions_low, instructions_high; /* 0 where the CPU has no counter */
    struct cpu_bus_counters cpu_bus;              /* meanwhile; 0 where the SoC does not count */
    uint32_t on_accelerator;                      /* 1: `job` is filled in */
    uint32_t reserved[2];
};

enum state {
    STATE_RESET = 0,   /* as loaded: the firmware has not reached main() */
    STATE_READY = 1,   /* waits for a command */
    STATE_RUNNING = 2, /* `current` is the index of the first kernel that has not ended */
    STATE_DONE = 3,    /* all records are written */
    STATE_TRAP = 4,    /* trap_cause, trap_pc, trap_value are filled in */
    STATE_FAILED = 5,  /* kernel `current` could not be run: see `error` */
};

enum command {
    COMMAND_NONE = 0,
    COMMAND_RUN = 1, /* execute the plan once; the firmware clears it when it starts */
};

enum plan_error {
    ERROR_NONE = 0,
    ERROR_PLAN_MAGIC = 1,  /* mailbox.plan_magic is not PLAN_MAGIC */
    ERROR_KERNEL_KIND = 2, /* unknown kind */
    ERROR_ACCELERATOR = 3, /* the accelerator refused: see accelerator_error */
    ERROR_FORMAT = 4,      /* format index out of range, or its table entry malformed */
    ERROR_ACCUMULATOR = 5, /* mailbox.accumulator is no enum accumulator_kind, or its format malformed */
    ERROR_ARGUMENT = 6,    /* a size is 0 that must not be, or a label is no class */
};

enum accumulator_kind {
    ACCUMULATOR_EXACT = 0,
    ACCUMULATOR_CHAIN = 1, /* acc = round(acc + a*b) in mailbox.accumulator_format, from +0, C first */
};

struct mailbox {
    uint32_t state;   /* firmware -> host, enum state */
    uint32_t command; /* host -> firmware, enum command */
    uint32_t current;
    uint32_t error;             /* enum plan_error */
    uint32_t accelerator_error; /* enum accelerator_error, of kernel `current` */
    uint32_t trap_cause, trap_pc, trap_value;
    uint32_t cycles_low, cycles_high; /* of the last plan, first kernel's start to last kernel's end */

    uint32_t plan_magic; /* host -> firmware, from here on */
    uint32_t kernels;    /* address of struct kernel[kernel_count] */
    uint32_t records;    /* address of struct record[kernel_count] */
    uint32_t kernel_count;
    uint32_t accumulator;        /* enum accumulator_kind */
    uint32_t accumulator_format; /* index, for a chain */
    struct format formats[FORMAT_LIMIT];
};

extern volatile struct mailbox mailbox;

#endif
