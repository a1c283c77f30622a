#include "array.h"
#include "kernels.h"

enum plan_error kernel_convert(const struct convert *call) {
    struct array x, y;
    if (!array_open(&x, &call->x) || !array_open(&y, &call->y))
        return ERROR_FORMAT;
    float values[BLOCK];
    for (uint32_t first = 0; first < x.count; first += BLOCK) {
        uint32_t count = minimum(BLOCK, x.count - first);
        array_load(&x, first, count, values);
        array_store(&y, first, count, values, call->overflow);
    }
    return ERROR_NONE;
}
