#include "vector.h"

void vector_add(float *y, const float *x, uint32_t count) {
    for (; count; count--, x++, y++)
        *y = *y + *x;
}

void vector_scale_add(float *y, float a, const float *x, uint32_t count) {
    for (; count; count--, x++, y++)
        *y = a * *y + *x;
}

void vector_subtract_scaled(float *y, float a, const float *x, uint32_t count) {
    for (; count; count--, x++, y++)
        *y = *y - a * *x;
}

float vector_dot(float sum, const float *x, const float *y, uint32_t count) {
    for (; count; count--, x++, y++)
        sum = sum + *x * *y;
    return sum;
}
