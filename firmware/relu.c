#include "array.h"
#include "kernels.h"

/* What passes is a positive number or NaN. */
static bool passes(const struct array *x, uint32_t code) { return code_order(x->codec, code) > 0; }

/* The format stays: codes are copied, but for what a store would change of infinities and NaNs. */
static void relu_codes(const struct array *x, const struct array *y, uint32_t overflow) {
    uint32_t codes[BLOCK];
    uint32_t largest = overflow == OVERFLOW_SATURATE ? x->codec->largest : x->codec->last;
    for (uint32_t first = 0; first < x->count; first += BLOCK) {
        uint32_t count = minimum(BLOCK, x->count - first);
        array_read(x, first, count, codes);
        for (uint32_t i = 0; i < count; i++) {
            int32_t order = code_order(x->codec, codes[i]);
            codes[i] = order <= 0 ? 0 : order == INT32_MAX ? x->codec->nan : minimum(codes[i], largest);
        }
        array_write(y, first, count, codes);
    }
}

static void relu_values(const struct array *x, const struct array *y, uint32_t overflow) {
    float values[BLOCK];
    for (uint32_t first = 0; first < x->count; first += BLOCK) {
        uint32_t count = minimum(BLOCK, x->count - first);
        array_load(x, first, count, values);
        for (uint32_t i = 0; i < count; i++)
            if (!passes(x, array_code(x, first + i)))
                values[i] = 0.0f;
        array_store(y, first, count, values, overflow);
    }
}

enum plan_error kernel_relu(const struct relu *call) {
    struct array x, y;
    if (!array_open(&x, &call->x) || !array_open(&y, &call->y))
        return ERROR_FORMAT;
    if (x.codec == y.codec)
        relu_codes(&x, &y, call->overflow);
    else
        relu_values(&x, &y, call->overflow);
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
            if (!passes(&y, codes[i]))
                gradients[i] = 0;
        array_write(&x_gradient, first, count, gradients);
    }
    return ERROR_NONE;
}
