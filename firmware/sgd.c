#include "array.h"
#include "kernels.h"

/* The weight moves by the velocity as computed, not as its format rounds it. */
enum plan_error kernel_sgd(const struct sgd *call) {
    struct array weight, velocity, gradient;
    if (!array_open(&weight, &call->weight) || !array_open(&velocity, &call->velocity) ||
        !array_open(&gradient, &call->gradient))
        return ERROR_FORMAT;
    float learning_rate = float_from_bits(call->learning_rate), momentum = float_from_bits(call->momentum);
    for (uint32_t i = 0; i < weight.count; i++) {
        float v = momentum * array_load(&velocity, i) + array_load(&gradient, i);
        float w = array_load(&weight, i) - learning_rate * v;
        array_store(&velocity, i, v, call->overflow);
        array_store(&weight, i, w, call->overflow);
    }
    return ERROR_NONE;
}
