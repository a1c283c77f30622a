#include "array.h"
#include "kernels.h"
#include "vector.h"

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
