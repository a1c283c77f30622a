#include "array.h"
#include "elementary.h"
#include "kernels.h"

/* The row's largest logit: the first of equal ones, NaN if there is one. */
static float find_top(const struct array *logits, uint32_t first, uint32_t classes) {
    float top = array_load(logits, first);
    for (uint32_t j = 1; j < classes; j++) {
        float z = array_load(logits, first + j);
        if (float_order(z) > float_order(top))
            top = z;
    }
    return top;
}

static float exponentials[CLASS_LIMIT];

enum plan_error kernel_softmax_cross_entropy(const struct softmax_cross_entropy *call) {
    struct array logits, gradient, loss;
    if (!array_open(&logits, &call->logits) || !array_open(&gradient, &call->gradient) ||
        !array_open(&loss, &call->loss))
        return ERROR_FORMAT;
    const uint32_t *labels = (const uint32_t *)(uintptr_t)call->labels.address;
    float scale = float_from_bits(call->scale);

    if (call->classes == 0 || call->classes > CLASS_LIMIT)
        return ERROR_ARGUMENT;

    for (uint32_t row = 0; row < call->rows; row++) {
        uint32_t first = row * call->classes, label = labels[row];
        if (label >= call->classes)
            return ERROR_ARGUMENT;
        float top = find_top(&logits, first, call->classes);
        float sum = 0.0f;
        for (uint32_t j = 0; j < call->classes; j++)
            sum += exponentials[j] = binary32_exp(array_load(&logits, first + j) - top);
        for (uint32_t j = 0; j < call->classes; j++) {
            float difference = exponentials[j] / sum - (j == label ? 1.0f : 0.0f);
            array_store(&gradient, first + j, scale * difference, call->overflow);
        }
        float entropy = binary32_log(sum) - (array_load(&logits, first + label) - top);
        array_store(&loss, row, entropy, call->overflow);
    }
    return ERROR_NONE;
}
