#include "array.h"
#include "elementary.h"
#include "kernels.h"

static float logits_row[CLASS_LIMIT], exponentials[CLASS_LIMIT];

/* Loads a row and returns its largest logit: the first of equal ones, NaN if there is one. */
static float load_row(const struct array *logits, uint32_t row, uint32_t classes) {
    array_load(logits, row * classes, classes, logits_row);
    uint32_t top = 0;
    int32_t largest = INT32_MIN;
    for (uint32_t j = 0; j < classes; j++) {
        int32_t order = code_order(logits->codec, array_code(logits, row * classes + j));
        if (order > largest) {
            largest = order;
            top = j;
        }
    }
    return logits_row[top];
}

enum plan_error kernel_softmax_cross_entropy(const struct softmax_cross_entropy *call) {
    struct array logits, gradient, loss;
    if (!array_open(&logits, &call->logits) || !array_open(&gradient, &call->gradient) ||
        !array_open(&loss, &call->loss))
        return ERROR_FORMAT;
    const uint32_t *labels = (const uint32_t *)(uintptr_t)call->labels.address;
    float scale = float_from_bits(call->scale);
    uint32_t classes = call->classes;
    if (classes == 0 || classes > CLASS_LIMIT)
        return ERROR_ARGUMENT;

    for (uint32_t row = 0; row < call->rows; row++) {
        uint32_t label = labels[row];
        if (label >= classes)
            return ERROR_ARGUMENT;
        float top = load_row(&logits, row, classes);
        float sum = 0.0f;
        for (uint32_t j = 0; j < classes; j++)
            sum += exponentials[j] = binary32_exp(logits_row[j] - top);
        float entropy = binary32_log(sum) - (logits_row[label] - top);
        array_store(&loss, row, 1, &entropy, call->overflow);

        for (uint32_t j = 0; j < classes; j++)
            exponentials[j] = scale * (exponentials[j] / sum - (j == label ? 1.0f : 0.0f));
        array_store(&gradient, row * classes, classes, exponentials, call->overflow);
    }
    return ERROR_NONE;
}
