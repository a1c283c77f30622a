#include "array.h"
#include "kernels.h"

/* What passes is a positive number or NaN. */
static bool passes(float value) { return float_order(value) > 0; }

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
    float values[BLOCK];
    for (uint32_t first = 0; first < y.count; first += BLOCK) {
        uint32_t count = minimum(BLOCK, y.count - first);
        array_load(&y, first, count, values);
        for (uint32_t i = 0; i < count; i++)
            array_set_code(&x_gradient, first + i, passes(values[i]) ? array_code(&y_gradient, first + i) : 0);
    }
    return ERROR_NONE;
}
