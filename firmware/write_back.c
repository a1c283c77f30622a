#include "write_back.h"

#include "array.h"
#include "random.h"

#define RANDOM_BITS_LIMIT 24

COLD enum plan_error write_back_prepare(struct write_back *write_back, const struct gemm *gemm) {
    bool with_addend = gemm->addend.address != 0, with_mask = gemm->mask.address != 0;
    write_back->gemm = gemm;
    write_back->d = codec_find(gemm->d.format);
    write_back->addend = with_addend ? codec_find(gemm->addend.format) : 0;
    write_back->mask = with_mask ? codec_find(gemm->mask.format) : 0;
    if (!write_back->d || (with_addend && !write_back->addend) || (with_mask && !write_back->mask))
        return ERROR_FORMAT;
    bool stochastic = gemm->rounding == ROUNDING_STOCHASTIC;
    if (gemm->rounding > ROUNDING_STOCHASTIC || gemm->chain_random_bits > RANDOM_BITS_LIMIT ||
        (stochastic && gemm->random_bits - 1 >= RANDOM_BITS_LIMIT))
        return ERROR_ARGUMENT;
    return ERROR_NONE;
}

/* sums[i] = round_binary32(sums[i]) + addend[row + i, column] */
static void add(const struct write_back *write_back, struct number *sums, uint32_t count, uint32_t row,
                uint32_t column) {
    const struct number one = {.significand = 1};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t code = matrix_code(&write_back->gemm->addend, write_back->addend, row + i, column);
        struct number x = number_round_binary32(sums[i]), y = number_decode(write_back->addend, code);
        bool finite = x.class == NUMBER_FINITE && y.class == NUMBER_FINITE;
        sums[i] = finite ? number_add(x, y) : number_add_special(x, y, one);
    }
}

/* Each loop shares the instruction cache with the few functions that it calls. */
void write_back(const struct write_back *write_back, struct number *sums, uint32_t count, uint32_t row,
                uint32_t column) {
    const struct gemm *gemm = write_back->gemm;
    const struct codec *d = write_back->d, *mask = write_back->mask;
    for (uint32_t i = 0; i < count; i++)
        sums[i].exponent += gemm->scale;
    if (write_back->addend)
        add(write_back, sums, count, row, column);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t random = 0;
        if (gemm->rounding == ROUNDING_STOCHASTIC)
            random = random_word(gemm->random_key, row + i, column, STEP_WRITE_BACK, gemm->random_bits);
        uint32_t code = number_round(d, sums[i], gemm->overflow, gemm->rounding, random);
        if ((gemm->flags & GEMM_RELU && code_order(d, code) <= 0) ||
            (mask && code_order(mask, matrix_code(&gemm->mask, mask, row + i, column)) <= 0))
            code = 0;
        element_write(matrix_row(&gemm->d, row + i), d->bytes, column, code);
    }
}
