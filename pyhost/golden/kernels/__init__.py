"""The training kernels: what each computes, bit for bit, from codes to codes.

Every tensor is an array of codes followed by its format. Matrix products are `pyhost.golden.gemm`'s, with the
accumulator passed in; everything else is binary32 with one rounding an operation, in the order that its docstring
gives, and one more when the result is stored. Sums run one element after the other from +0. docs/kernels.md has the
formulas in one place.

A kernel called `f` has, where it has gradients, `f_input_gradient` and `f_weight_gradient`; `f_gradient` where there
are no weights. Arrays or settings that do not fit raise GoldenError, codes out of range FormatError.
"""

from pyhost.golden.kernels.activation import relu, relu6, relu6_gradient, relu_gradient
from pyhost.golden.kernels.bias import bias, bias_gradient
from pyhost.golden.kernels.codes import add, convert, load, store
from pyhost.golden.kernels.convolution import (
    Convolution,
    convolution,
    convolution_input_gradient,
    convolution_weight_gradient,
)
from pyhost.golden.kernels.dense import Product, dense, dense_input_gradient, dense_weight_gradient
from pyhost.golden.kernels.loss import mean_squared_error, softmax_cross_entropy
from pyhost.golden.kernels.normalization import (
    BatchNorm,
    LayerNorm,
    batch_norm,
    batch_norm_inference,
    batch_norm_input_gradient,
    batch_norm_weight_gradient,
    layer_norm,
    layer_norm_input_gradient,
    layer_norm_weight_gradient,
)
from pyhost.golden.kernels.optimizers import adam, sgd
from pyhost.golden.kernels.pooling import (
    average_pool,
    average_pool_gradient,
    global_average_pool,
    global_average_pool_gradient,
    max_pool,
    max_pool_gradient,
)

__all__ = [
    "BatchNorm",
    "Convolution",
    "LayerNorm",
    "Product",
    "adam",
    "add",
    "average_pool",
    "average_pool_gradient",
    "batch_norm",
    "batch_norm_inference",
    "batch_norm_input_gradient",
    "batch_norm_weight_gradient",
    "bias",
    "bias_gradient",
    "convert",
    "convolution",
    "convolution_input_gradient",
    "convolution_weight_gradient",
    "dense",
    "dense_input_gradient",
    "dense_weight_gradient",
    "global_average_pool",
    "global_average_pool_gradient",
    "layer_norm",
    "layer_norm_input_gradient",
    "layer_norm_weight_gradient",
    "load",
    "max_pool",
    "max_pool_gradient",
    "mean_squared_error",
    "relu",
    "relu6",
    "relu6_gradient",
    "relu_gradient",
    "sgd",
    "softmax_cross_entropy",
    "store",
]
