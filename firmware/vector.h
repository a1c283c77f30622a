/*
 * Loops of binary32 arithmetic, each operation rounded, in the order of i. They
 * are linked beside the soft-float functions, so that loop and function share the
 * instruction cache; elsewhere a loop may cost 1.4 times the cycles.
 */
#ifndef FLOATSOC_VECTOR_H
#define FLOATSOC_VECTOR_H

#include <stdint.h>

/* y[i] = y[i] + x[i] */
void vector_add(float *y, const float *x, uint32_t count);

/* y[i] = a * y[i] + x[i] */
void vector_scale_add(float *y, float a, const float *x, uint32_t count);

/* y[i] = y[i] - a * x[i] */
void vector_subtract_scaled(float *y, float a, const float *x, uint32_t count);

/* sum = sum + x[i] * y[i], for each i */
float vector_dot(float sum, const float *x, const float *y, uint32_t count);

#endif
