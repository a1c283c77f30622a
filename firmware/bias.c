#include "array.h"
#include "kernels.h"
#include "vector.h"

enum plan_error kernel_bias(const struct bias *call) {
    struct array x, bias, y;
    if (!array_open(&x, &call->x) || !array_open(&bias, &call->bias) || !array_open(&y, &call->y))
        return ERROR_FORMAT;
    if (call->channels == 0)
        return ERROR_ARGUMENT;
    float values[BLOCK], addends[BLOCK];
    for (uint32_t channel = 0; channel < call->channels; channel += BLOCK) {
        uint32_t count = minimum(BLOCK, call->channels - channel);
        array_load(&bias, channel, count, addends);
        for (uint32_t first = channel; first < x.count; first += call->channels) {
            array_load(&x, first, count, values);
            vector_add(values, addends, count);
            array_store(&y, first, count, values, call->overflow);
        }
    }
    return ERROR_NONE;
}

enum plan_error kernel_bias_gradient(const struct bias_gradient *call) {
    struct array gradient, bias_gradient;
    if (!array_open(&gradient, &call->gradient) || !array_open(&bias_gradient, &call->bias_gradient))
        return ERROR_FORMAT;
    if (call->channels == 0)
        return ERROR_ARGUMENT;
    float scale = float_from_bits(call->scale), values[BLOCK], sums[BLOCK];
    for (uint32_t channel = 0; channel < call->channels; channel += BLOCK) {
        uint32_t count = minimum(BLOCK, call->channels - channel);
        for (uint32_t i = 0; i < count; i++)
            sums[i] = 0.0f;
        for (uint32_t first = channel; first < gradient.count; first += call->channels) {
            array_load(&gradient, first, count, values);
            vector_add(sums, values, count);
        }
        for (uint32_t i = 0; i < count; i++)
            sums[i] *= scale;
        array_store(&bias_gradient, channel, count, sums, call->overflow);
    }
    return ERROR_NONE;
}
