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

/* round_binary32(sum) + addend */
static struct number add(const struct write_back *write_back, struct number sum, uint32_t row, uint32_t column) {
    const struct number one = {.significand = 1};
    struct number x = number_round_binary32(sum);
    struct number y =
        number_decode(write_back->addend, matrix_code(&write_back->gemm->addend, write_back->addend, row, column));
    if (x.class != NUMBER_FINITE || y.class != NUMBER_FINITE)
        return number_add_special(x, y, one);
    return number_add(x, y);
}

void write_back(const struct write_back *write_back, struct number sum, uint32_t row, uint32_t column) {
    const struct gemm *gemm = write_back->gemm;
    const struct codec *d = write_back->d, *mask = write_back->mask;
    sum.exponent += gemm->scale;
    if (write_back->addend)
        sum = add(write_back, sum, row, column);
    uint32_t random = 0;
    if (gemm->rounding == ROUNDING_STOCHASTIC)
        random = random_word(gemm->random_key, row, column, STEP_WRITE_BACK, gemm->random_bits);
    uint32_t code = number_round(d, sum, gemm->overflow, gemm->rounding, random);
    if ((gemm->flags & GEMM_RELU && code_order(d, code) <= 0) ||
        (mask && code_order(mask, matrix_code(&gemm->mask, mask, row, column)) <= 0))
        code = 0;
    element_write(matrix_row(&gemm->d, row), d->bytes, column, code);
}
