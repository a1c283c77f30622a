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
    STYLE_IEEE = 0,   /* exponent all ones: infinities and NaNs */
    STYLE_FN = 1,     /* no infinity; NaN is all ones (both signs) */
    STYLE_FNUZ = 2,   /* no infinity, no -0; NaN is the code of -0 */
    STYLE_FINITE = 3, /* neither infinity nor NaN: overflow saturates, NaN becomes +0 */
};

/* A binary float format, value = (-1)^s * 2^(e - bias) * 1.f; see docs/numerics.md. */
struct format {
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

/*
 * One operand of a matrix product, seen as a matrix of `major` lines by
 * `minor` elements, where neighbours along minor lie next to each other in
 * memory within runs:
 *
 *   major index v = (n * major_y + y) * major_x + x      (n unbounded)
 *   minor index u = row * run + e        0 <= e < run
 *
 *   vertical   = y + row - pad_y           in units of stride_y
 *   horizontal = x * stride_x + e * size - pad_x           in bytes
 *   address    = base + n * stride_n + vertical * stride_y + horizontal
 *
 * The element is +0 unless 0 <= vertical < height and 0 <= horizontal < width.
 * So a plain matrix, a convolution's window with its zero padding, and the
 * rotated kernel of the backward pass (negative stride_y) are the same thing,
 * and nobody copies data to rearrange it. `size` is the element's bytes.
 */
struct operand {
    uint32_t address;
    uint32_t format;
    uint32_t k_minor; /* 1: the product's k runs along minor; 0: along major */
    uint32_t run;     /* elements */
    uint32_t major_x;
    uint32_t major_y;
    uint32_t stride_x; /* bytes */
    int32_t stride_y;  /* bytes */
    int32_t stride_n;  /* bytes */
    uint32_t pad_x;    /* bytes */
    uint32_t pad_y;
    uint32_t width; /* bytes */
    uint32_t height;
};

/* A row-major matrix: C and D of a product. address 0 in C means there is none. */
struct matrix {
    uint32_t address;
    uint32_t format;
    uint32_t pitch; /* bytes from row to row */
};

/* D[m,n] = round_D( 2^scale * ( C[m,n] + sum over k, ascending, of A[m,k] * B[k,n] ) ) */
struct gemm {
    uint32_t m, n, k;
    int32_t scale;
    uint32_t overflow; /* enum overflow, at write-back */
    struct operand a;
    struct operand b;
    struct matrix c;
    struct matrix d;
};

enum kernel_kind {
    KERNEL_GEMM = 1,
    KERNEL_CONVERT,
    KERNEL_BIAS,
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

/* y[r,c] = store(load(x[r,c]) + load(bias[c])), x.count = rows * channels */
struct bias {
    struct tensor x, bias, y;
    uint32_t channels, overflow;
};

/* bias_gradient[c] = store(load(scale) * sum over r, ascending from +0, of load(gradient[r,c])) */
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
        struct bias bias;
        struct bias_gradient bias_gradient;
        struct relu relu;
        struct relu_gradient relu_gradient;
        struct max_pool max_pool;
        struct max_pool_gradient max_pool_gradient;
        struct softmax_cross_entropy softmax_cross_entropy;
        struct sgd sgd;
    };
};

/* What the accelerator counted for one job, in cycles unless said otherwise. */
struct accelerator_counters {
    uint32_t cycles;     /* start to done */
    uint32_t busy;       /* cycles in which the array multiplied */
    uint32_t wait_a;     /* idle, A's data not there */
    uint32_t wait_b;     /* idle, B's data not there (and A's was) */
    uint32_t wait_store; /* idle, write-back in progress */
    uint32_t dma_beats;  /* bus words read and written, a number */
    uint32_t bus_wait;   /* a request was held up by the bus */
};

/* One per kernel, written when it ends. */
struct record {
    uint32_t cycles_low, cycles_high;             /* of this kernel, by the SoC's counter */
    uint32_t instructions_low, instructions_high; /* 0 where the CPU has no counter */
    uint32_t on_accelerator;                      /* 1: `accelerator` below is filled in */
    struct accelerator_counters accelerator;
};

enum state {
    STATE_RESET = 0,   /* as loaded: the firmware has not reached main() */
    STATE_READY = 1,   /* waits for a command */
    STATE_RUNNING = 2, /* `current` is the kernel's index */
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
    ERROR_ACCELERATOR = 3, /* the accelerator refused: accelerator_error has its code */
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
    uint32_t accelerator_error; /* the accelerator's error register */
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
