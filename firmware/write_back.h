/* What becomes of the software product's sums: scale, addend, rounding, ReLU and mask, as struct gemm says. */
#ifndef FLOATSOC_WRITE_BACK_H
#define FLOATSOC_WRITE_BACK_H

#include "format.h"

/* The formats of the matrices at write-back; NULL for addend and mask where there is none. */
struct write_back {
    const struct gemm *gemm;
    const struct codec *d, *addend, *mask;
};

/* ERROR_FORMAT for a format that does not exist, ERROR_ARGUMENT for a rounding that does not. */
enum plan_error write_back_prepare(struct write_back *write_back, const struct gemm *gemm);

/* Write the elements [row + i, column] of D, for i < count, given their sums in the accumulator, which are used up. */
void write_back(const struct write_back *write_back, struct number *sums, uint32_t count, uint32_t row,
                uint32_t column);

#endif
