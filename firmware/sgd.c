#include "array.h"
#include "kernels.h"
#include "vector.h"

/* The weight moves by the velocity as computed, not as its format rounds it. */
enum plan_error kernel_sgd(const struct sgd *call) {
    struct array weight, velocity, gradient;
    if (!array_open(&weight, &call->weight) || !array_open(&velocity, &call->velocity) ||
        !array_open(&gradient, &call->gradient))
        return ERROR_FORMAT;
    float learning_rate = float_from_bits(call->learning_rate), momentum = float_from_bits(call->momentum);
    float w[BLOCK], v[BLOCK], g[BLOCK];
    for (uint32_t first = 0; first < weight.count; first += BLOCK) {
        uint32_t count = minimum(BLOCK, weight.count - first);
        array_load(&weight, first, count, w);
        array_load(&velocity, first, count, v);
        array_load(&gradient, first, count, g);
        vector_scale_add(v, momentum, g, count);
        vector_subtract_scaled(w, learning_rate, v, count);
        array_store(&velocity, first, count, v, call->overflow);
        array_store(&weight, first, count, w, call->overflow);
    }
    return ERROR_NONE;
}
