/*
 * The accelerator as a function: what a job does to main memory, bit by bit, without its cycles.
 *
 * The arithmetic is the firmware's own software product. What is added is what hardware does around it:
 * accel_rtl/job.py's checks, in its order, and what its scratchpads keep from one job to the next.
 */
#include <stddef.h>
#include <string.h>

#include "array.h"
#include "gemm_software.h"

/* Generated: FORMATS, OPERAND_FORMATS, FORMAT_COUNT, ACCUMULATOR, ACCUMULATOR_FORMAT, STOCHASTIC (the write-back),
 * STOCHASTIC_CHAIN (the steps of a chain), DEPTH, PANEL_A, PANEL_B */
#include "configuration.h"

#define EXPORT __attribute__((visibility("default")))

#define DIMENSION_LIMIT 65535
#define DILATION_LIMIT 63
#define RANDOM_BITS_LIMIT 24
#define SCALE_LIMIT 1023
#define ALIGNMENT 16
#define LARGEST_ELEMENT 4

static uint8_t scratchpad_a[DEPTH * PANEL_A * LARGEST_ELEMENT], scratchpad_b[DEPTH * PANEL_B * LARGEST_ELEMENT];

struct model_memory model_memory = {.scratchpad_a = scratchpad_a, .scratchpad_b = scratchpad_b};

/* The software product takes its formats and its accumulator from here. */
volatile struct mailbox mailbox = {
    .accumulator = ACCUMULATOR,
    .accumulator_format = ACCUMULATOR_FORMAT,
    .formats = FORMATS,
};

/* What the last job left in the scratchpads. */
static struct {
    bool valid;
    uint32_t m, n, k, a_format, b_format;
} left;

static uint32_t element_bytes(uint32_t format) {
    uint32_t bits = mailbox.formats[format].bits;
    return bits <= 8 ? 1 : bits <= 16 ? 2 : 4;
}

/* Whether `size` bytes at an address are main memory. */
static bool exists(uint32_t address, uint32_t size) {
    uint32_t offset = address - model_memory.base;
    return offset < model_memory.size && size <= model_memory.size - offset;
}

static bool within(uint32_t value, uint32_t limit) { return value != 0 && value <= limit; }

static bool valid_axis(const struct axis *axis) {
    return axis->dilation <= DILATION_LIMIT && axis->start_phase < axis->dilation &&
           axis->step_phase < axis->dilation && axis->tap_phase < axis->dilation;
}

static bool valid_window(const struct operand *operand) {
    return within(operand->run, DIMENSION_LIMIT) && within(operand->taps, DIMENSION_LIMIT) &&
           within(operand->major_x, DIMENSION_LIMIT) && within(operand->major_y, DIMENSION_LIMIT) &&
           valid_axis(&operand->x) && valid_axis(&operand->y);
}

static uint32_t distances(const struct axis *axis) {
    return (uint32_t)axis->start | (uint32_t)axis->step | (uint32_t)axis->tap | axis->unit;
}

static bool aligned_window(const struct operand *operand) {
    uint32_t bits = operand->address | (uint32_t)operand->stride_n | distances(&operand->x) | distances(&operand->y);
    return bits % element_bytes(operand->format) == 0;
}

static bool aligned_matrix(const struct matrix *matrix) {
    return (matrix->address | matrix->pitch) % element_bytes(matrix->format) == 0;
}

static bool valid_rounding(const struct gemm *job) {
    if (job->rounding == ROUNDING_STOCHASTIC && !(STOCHASTIC && within(job->random_bits, RANDOM_BITS_LIMIT)))
        return false;
    return job->rounding <= ROUNDING_STOCHASTIC && job->chain_random_bits <= (STOCHASTIC_CHAIN ? RANDOM_BITS_LIMIT : 0);
}

static bool valid_result(const struct gemm *job) {
    uint64_t row = (uint64_t)job->n * element_bytes(job->d.format);
    uint64_t end = (uint64_t)(job->d.address - model_memory.base) + (uint64_t)(job->m - 1) * job->d.pitch + row;
    return end <= model_memory.size && (job->m == 1 || job->d.pitch >= row);
}

/* Whether `lines` of A or B all fit its scratchpad together, and so stay there for the next job. */
static bool stays(uint32_t lines, uint32_t k, uint32_t panel) {
    for (uint32_t length = 1; length < DEPTH; length *= 2)
        if (k <= length)
            return lines <= DEPTH / length * panel;
    return false;
}

static bool resident(const struct gemm *job) {
    bool same_k = left.valid && left.k == job->k;
    if (job->flags & GEMM_A_RESIDENT &&
        !(same_k && stays(job->m, job->k, PANEL_A) && left.m == job->m && left.a_format == job->a.format))
        return false;
    if (job->flags & GEMM_B_RESIDENT &&
        !(same_k && stays(job->n, job->k, PANEL_B) && left.n == job->n && left.b_format == job->b.format))
        return false;
    return true;
}

static enum accelerator_error check(const struct gemm *job) {
    bool with_c = job->c.address, with_addend = job->addend.address, with_mask = job->mask.address;
    if (job->record % ALIGNMENT || !exists(job->record, sizeof(struct job_record)))
        return ACCELERATOR_RECORD;
    if (!within(job->m, DIMENSION_LIMIT) || !within(job->n, DIMENSION_LIMIT) || !within(job->k, DIMENSION_LIMIT))
        return ACCELERATOR_DIMENSION;
    if (job->a.format >= OPERAND_FORMATS || job->b.format >= OPERAND_FORMATS || job->d.format >= FORMAT_COUNT ||
        (with_c && job->c.format >= OPERAND_FORMATS) || (with_addend && job->addend.format >= FORMAT_COUNT) ||
        (with_mask && job->mask.format >= FORMAT_COUNT))
        return ACCELERATOR_FORMAT;
    if (!valid_rounding(job))
        return ACCELERATOR_ROUNDING;
    if (!valid_window(&job->a) || !valid_window(&job->b))
        return ACCELERATOR_WINDOW;
    if (!aligned_window(&job->a) || !aligned_window(&job->b) || !aligned_matrix(&job->d) ||
        (with_c && !aligned_matrix(&job->c)) || (with_addend && !aligned_matrix(&job->addend)) ||
        (with_mask && !aligned_matrix(&job->mask)))
        return ACCELERATOR_ALIGNMENT;
    if (!valid_result(job))
        return ACCELERATOR_RESULT;
    return resident(job) ? ACCELERATOR_NONE : ACCELERATOR_RESIDENT;
}

/* Bytes from the axis's beginning to the position of i and j; false for a hole. */
static bool place(const struct axis *axis, uint32_t i, uint32_t j, uint32_t *bytes) {
    uint32_t phase = axis->start_phase + i * axis->step_phase + j * axis->tap_phase;
    *bytes = (uint32_t)axis->start + i * (uint32_t)axis->step + j * (uint32_t)axis->tap +
             phase / axis->dilation * axis->unit;
    return phase % axis->dilation == 0;
}

/* The address of an element of a window, as firmware/plan.h has it; false for one that is +0. */
static bool element_address(const struct operand *operand, uint32_t major, uint32_t minor, uint32_t *address) {
    uint32_t x = major % operand->major_x, y = major / operand->major_x % operand->major_y;
    uint32_t n = major / operand->major_x / operand->major_y;
    uint32_t e = minor % operand->run, column = minor / operand->run % operand->taps;
    uint32_t row = minor / operand->run / operand->taps, across, down;
    if (!place(&operand->x, x, column, &across) || !place(&operand->y, y, row, &down))
        return false;
    across += e * element_bytes(operand->format);
    *address = operand->address + n * (uint32_t)operand->stride_n + down + across;
    return across < operand->x.extent && down < operand->y.extent;
}

/*
 * Reads `lines` of an operand; false if that leaves main memory. One that stays is moved to its scratchpad, and
 * `operand` becomes its window there.
 */
static bool load(struct operand *operand, uint32_t lines, uint32_t k, uint32_t panel, uint32_t scratchpad) {
    uint32_t bytes = element_bytes(operand->format);
    bool kept = stays(lines, k, panel);
    for (uint32_t line = 0; line < lines; line++)
        for (uint32_t step = 0; step < k; step++) {
            uint32_t address, code = 0;
            bool minor = operand->k_minor;
            if (element_address(operand, minor ? line : step, minor ? step : line, &address)) {
                if (!exists(address, bytes))
                    return false;
                code = element_read(MEMORY_AT(address), bytes, 0);
            }
            if (kept)
                element_write(MEMORY_AT(scratchpad), bytes, line * k + step, code);
        }
    return true;
}

static struct operand window_of(const struct operand *operand, uint32_t lines, uint32_t k, uint32_t panel,
                                uint32_t scratchpad) {
    uint32_t pitch = k * element_bytes(operand->format);
    if (!stays(lines, k, panel))
        return *operand;
    return (struct operand){
        .address = scratchpad,
        .format = operand->format,
        .k_minor = 1,
        .run = k,
        .taps = 1,
        .major_x = lines,
        .major_y = 1,
        .x = {.step = (int32_t)pitch, .dilation = 1, .unit = pitch, .extent = lines * pitch},
        .y = {.dilation = 1, .unit = 1, .extent = 1},
    };
}

static bool readable(const struct matrix *matrix, uint32_t rows, uint32_t columns) {
    if (!matrix->address)
        return true;
    for (uint32_t row = 0; row < rows; row++)
        if (!exists(matrix->address + row * matrix->pitch, columns * element_bytes(matrix->format)))
            return false;
    return true;
}

static enum accelerator_error run(struct gemm job) {
    enum accelerator_error error = check(&job);
    if (error != ACCELERATOR_NONE)
        return error;
    left.valid = false;
    if (!(job.flags & GEMM_A_RESIDENT || load(&job.a, job.m, job.k, PANEL_A, SCRATCHPAD_A)) ||
        !(job.flags & GEMM_B_RESIDENT || load(&job.b, job.n, job.k, PANEL_B, SCRATCHPAD_B)) ||
        !readable(&job.c, job.m, job.n) || !readable(&job.addend, job.m, job.n) || !readable(&job.mask, job.m, job.n))
        return ACCELERATOR_OPERAND;
    left.valid = true;
    left.m = job.m;
    left.n = job.n;
    left.k = job.k;
    left.a_format = job.a.format;
    left.b_format = job.b.format;

    job.a = window_of(&job.a, job.m, job.k, PANEL_A, SCRATCHPAD_A);
    job.b = window_of(&job.b, job.n, job.k, PANEL_B, SCRATCHPAD_B);
    job.overflow = job.overflow ? OVERFLOW_SATURATE : OVERFLOW_IEEE;
    job.scale = job.scale > SCALE_LIMIT ? SCALE_LIMIT : job.scale < -SCALE_LIMIT ? -SCALE_LIMIT : job.scale;
    if (gemm_software(&job) != ERROR_NONE)
        __builtin_trap(); /* nothing is left that it could refuse */
    return ACCELERATOR_NONE;
}

/* Main memory: `size` bytes, which lie at the address `base` of the SoC. Nothing is in the scratchpads. */
EXPORT void accelerator_reset(void *memory, uint32_t base, uint32_t size) {
    model_memory.bytes = memory;
    model_memory.base = base;
    model_memory.size = size;
    left.valid = false;
    codecs_prepare();
}

/* Runs the job whose struct gemm is at an address, writes its record, and returns its error. */
EXPORT uint32_t accelerator_run(uint32_t descriptor) {
    struct gemm job;
    if (descriptor % ALIGNMENT || !exists(descriptor, sizeof job))
        return ACCELERATOR_DESCRIPTOR;
    memcpy(&job, MEMORY_AT(descriptor), sizeof job);
    struct job_record record = {.error = run(job)};
    if (record.error == ACCELERATOR_RECORD)
        return record.error;
    if (record.error == ACCELERATOR_NONE) {
        uint64_t macs = (uint64_t)job.m * job.n * job.k;
        record.counters.macs_low = (uint32_t)macs;
        record.counters.macs_high = (uint32_t)(macs >> 32);
    }
    memcpy(MEMORY_AT(job.record), &record, sizeof record);
    return record.error;
}
