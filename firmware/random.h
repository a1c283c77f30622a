/* Random bits for stochastic rounding: a hash of where a number stands; see docs/numerics.md. */
#ifndef FLOATSOC_RANDOM_H
#define FLOATSOC_RANDOM_H

#include <stdint.h>

/* The step of the rounding at write-back, and of that of C, where a chain starts with it. */
#define STEP_WRITE_BACK 0xffffffffu
#define STEP_FIRST_ADDEND 0xfffffffeu

/* The `bits` (1 to 32) most significant bits of an element's word at step k of the product; the others are 0. */
uint32_t random_word(uint32_t key, uint32_t row, uint32_t column, uint32_t k, uint32_t bits);

#endif
