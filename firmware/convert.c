#include "array.h"
#include "kernels.h"

enum plan_error kernel_convert(const struct convert *call) {
    struct array x, y;
    if (!array_open(&x, &call->x) || !array_open(&y, &call->y))
        return ERROR_FORMAT;
    for (uint32_t i = 0; i < y.count; i++)
        array_store(&y, i, array_load(&x, i), call->overflow);
    return ERROR_NONE;
}
