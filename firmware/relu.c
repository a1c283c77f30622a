#include "array.h"
#include "kernels.h"

/* Positive, or NaN of either sign: a code in binary32 above +0, or above -infinity. */
static bool passes(float value) {
    uint32_t bits = bits_from_float(value);
    return (int32_t)bits > 0 || bits > (BINARY32_SIGN | BINARY32_INFINITY);
}

enum plan_error kernel_relu(const struct relu *call) {
    struct array x, y;
    if (!array_open(&x, &call->x) || !array_open(&y, &call->y))
        return ERROR_FORMAT;
    float values[BLOCK];
    for (uint32_t first = 0; first < x.count; first += BLOCK) {
        uint32_t count = minimum(BLOCK, x.count - first);
        array_load(&x, first, count, values);
        for (uint32_t i = 0; i < count; i++)
            if (!passes(values[i]))
                values[i] = 0.0f;
        array_store(&y, first, count, values, call->overflow);
    }
    return ERROR_NONE;
}

enum plan_error kernel_relu_gradient(const struct relu_gradient *call) {
    struct array y, y_gradient, x_gradient;
    if (!array_open(&y, &call->y) || !array_open(&y_gradient, &call->y_gradient) ||
        !array_open(&x_gradient, &call->x_gradient))
        return ERROR_FORMAT;
    uint32_t codes[BLOCK], gradients[BLOCK];
    for (uint32_t first = 0; first < y.count; first += BLOCK) {
        uint32_t count = minimum(BLOCK, y.count - first);
        array_read(&y, first, count, codes);
        array_read(&y_gradient, first, count, gradients);
        for (uint32_t i = 0; i < count; i++)
            if (code_order(y.codec, codes[i]) <= 0)
                gradients[i] = 0;
        array_write(&x_gradient, first, count, gradients);
    }
    return ERROR_NONE;
}
