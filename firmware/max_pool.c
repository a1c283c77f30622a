#include "array.h"
#include "kernels.h"

struct windows {
    struct array x;
    uint32_t images, height, width, channels, window;
};

/* Index of the winner of `count` neighbouring channels' windows, the first of which begins at `first`. */
static void find_winners(const struct windows *windows, uint32_t first, uint32_t count, uint32_t winners[BLOCK]) {
    int32_t largest[BLOCK];
    for (uint32_t row = 0; row < windows->window; row++)
        for (uint32_t column = 0; column < windows->window; column++) {
            uint32_t index = first + (row * windows->width + column) * windows->channels;
            for (uint32_t i = 0; i < count; i++) {
                int32_t order = code_order(windows->x.codec, array_code(&windows->x, index + i));
                if ((row == 0 && column == 0) || order > largest[i]) {
                    largest[i] = order;
                    winners[i] = index + i;
                }
            }
        }
}

/* Copies codes between windows' winners and outputs: to outputs going forward, to winners for the gradient. */
static void copy_winners(const struct windows *windows, const struct array *from, const struct array *to,
                         bool gradient) {
    uint32_t rows = windows->height / windows->window, columns = windows->width / windows->window;
    uint32_t winners[BLOCK], output = 0;
    for (uint32_t image = 0; image < windows->images; image++)
        for (uint32_t row = 0; row < rows; row++)
            for (uint32_t column = 0; column < columns; column++) {
                uint32_t line = image * windows->height + row * windows->window;
                uint32_t first = (line * windows->width + column * windows->window) * windows->channels;
                for (uint32_t channel = 0; channel < windows->channels; channel += BLOCK) {
                    uint32_t count = minimum(BLOCK, windows->channels - channel);
                    find_winners(windows, first + channel, count, winners);
                    for (uint32_t i = 0; i < count; i++, output++)
                        if (gradient)
                            array_set_code(to, winners[i], array_code(from, output));
                        else
                            array_set_code(to, output, array_code(from, winners[i]));
                }
            }
}

enum plan_error kernel_max_pool(const struct max_pool *call) {
    struct windows windows = {.images = call->images,
                              .height = call->height,
                              .width = call->width,
                              .channels = call->channels,
                              .window = call->window};
    struct array y;
    if (!array_open(&windows.x, &call->x) || !array_open(&y, &call->y))
        return ERROR_FORMAT;
    if (windows.window == 0)
        return ERROR_ARGUMENT;
    copy_winners(&windows, &windows.x, &y, false);
    return ERROR_NONE;
}

enum plan_error kernel_max_pool_gradient(const struct max_pool_gradient *call) {
    struct windows windows = {.images = call->images,
                              .height = call->height,
                              .width = call->width,
                              .channels = call->channels,
                              .window = call->window};
    struct array y_gradient, x_gradient;
    if (!array_open(&windows.x, &call->x) || !array_open(&y_gradient, &call->y_gradient) ||
        !array_open(&x_gradient, &call->x_gradient))
        return ERROR_FORMAT;
    if (windows.window == 0)
        return ERROR_ARGUMENT;
    for (uint32_t i = 0; i < x_gradient.count; i++)
        array_set_code(&x_gradient, i, 0);
    copy_winners(&windows, &y_gradient, &x_gradient, true);
    return ERROR_NONE;
}
