#include "array.h"
#include "kernels.h"

/* What passes is a positive number or NaN: what does not compare as at most zero. */
enum plan_error kernel_relu(const struct relu *call) {
    struct array x, y;
    if (!array_open(&x, &call->x) || !array_open(&y, &call->y))
        return ERROR_FORMAT;
    for (uint32_t i = 0; i < x.count; i++) {
        float value = array_load(&x, i);
        array_store(&y, i, value <= 0.0f ? 0.0f : value, call->overflow);
    }
    return ERROR_NONE;
}

enum plan_error kernel_relu_gradient(const struct relu_gradient *call) {
    struct array y, y_gradient, x_gradient;
    if (!array_open(&y, &call->y) || !array_open(&y_gradient, &call->y_gradient) ||
        !array_open(&x_gradient, &call->x_gradient))
        return ERROR_FORMAT;
    for (uint32_t i = 0; i < y.count; i++)
        array_set_code(&x_gradient, i, array_load(&y, i) <= 0.0f ? 0 : array_code(&y_gradient, i));
    return ERROR_NONE;
}
