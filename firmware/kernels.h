/* One function for each kind of kernel; plan.h says what they compute. */
#ifndef FLOATSOC_KERNELS_H
#define FLOATSOC_KERNELS_H

#include "plan.h"

enum plan_error kernel_convert(const struct convert *call);
enum plan_error kernel_bias_gradient(const struct bias_gradient *call);
enum plan_error kernel_relu(const struct relu *call);
enum plan_error kernel_relu_gradient(const struct relu_gradient *call);
enum plan_error kernel_max_pool(const struct max_pool *call);
enum plan_error kernel_max_pool_gradient(const struct max_pool_gradient *call);
enum plan_error kernel_softmax_cross_entropy(const struct softmax_cross_entropy *call);
enum plan_error kernel_sgd(const struct sgd *call);

#endif
