#include "array.h"
#include "kernels.h"

/* What passes is a positive number or NaN. */
enum plan_error kernel_relu(const struct relu *call) {
    struct array x, y;
    if (!array_open(&x, &call->x) || !array_open(&y, &call->y))
        return ERROR_FORMAT;
    for (uint32_t i = 0; i < x.count; i++) {
        float value = array_load(&x, i);
        array_store(&y, i, float_order(value) > 0 ? value : 0.0f, call->overflow);
    }
    return ERROR_NONE;
}

enum plan_error kernel_relu_gradient(const struct relu_gradient *call) {
    struct array y, y_gradient, x_gradient;
    if (!array_open(&y, &call->y) || !array_open(&y_gradient, &call->y_gradient) ||
        !array_open(&x_gradient, &call->x_gradient))
        return ERROR_FORMAT;
    for (uint32_t i = 0; i < y.count; i++)
        array_set_code(&x_gradient, i, float_order(array_load(&y, i)) > 0 ? array_code(&y_gradient, i) : 0);
    return ERROR_NONE;
}
