#include "array.h"
#include "kernels.h"

enum plan_error kernel_bias(const struct bias *call) {
    struct array x, bias, y;
    if (!array_open(&x, &call->x) || !array_open(&bias, &call->bias) || !array_open(&y, &call->y))
        return ERROR_FORMAT;
    if (call->channels == 0)
        return ERROR_ARGUMENT;
    uint32_t channel = 0;
    for (uint32_t i = 0; i < x.count; i++) {
        array_store(&y, i, array_load(&x, i) + array_load(&bias, channel), call->overflow);
        if (++channel == call->channels)
            channel = 0;
    }
    return ERROR_NONE;
}

enum plan_error kernel_bias_gradient(const struct bias_gradient *call) {
    struct array gradient, bias_gradient;
    if (!array_open(&gradient, &call->gradient) || !array_open(&bias_gradient, &call->bias_gradient))
        return ERROR_FORMAT;
    float scale = float_from_bits(call->scale);
    for (uint32_t channel = 0; channel < call->channels; channel++) {
        float sum = 0.0f;
        for (uint32_t i = channel; i < gradient.count; i += call->channels)
            sum += array_load(&gradient, i);
        array_store(&bias_gradient, channel, scale * sum, call->overflow);
    }
    return ERROR_NONE;
}
