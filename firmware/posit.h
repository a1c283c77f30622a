/* Posits: sign, a run of equal bits (the regime), up to `exponent_bits` bits of the exponent, then the fraction. */
#ifndef FLOATSOC_POSIT_H
#define FLOATSOC_POSIT_H

#include "format.h"

/* Fills in `codec`; false if no posit is like that. */
bool posit_prepare(struct codec *codec, const struct format *format);

/* The value of a code that is neither 0 nor NaR. */
struct number posit_decode(const struct codec *codec, uint32_t code);

/* The magnitude's code of a finite number whose leading one is at bit 63, rounded; see number_round. */
uint32_t posit_magnitude(const struct codec *codec, struct number number, uint32_t rounding, uint32_t random);

#endif
