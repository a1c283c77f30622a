"""What does not fit is refused with what was given and what is allowed."""

import numpy as np
import pytest

from pyhost.formats import FormatError, parse_format
from pyhost.golden import Exact, GoldenError, kernels

E4M3, F32, UNUM = parse_format("e4m3fn"), parse_format("e8m23"), parse_format("unum2x2")


def codes(*shape):
    return np.zeros(shape, np.uint8)


def convolve(x_shape=(1, 4, 4, 2), w_shape=(3, 3, 2, 2), **settings):
    convolution = kernels.Convolution(**settings)
    return kernels.convolution(codes(*x_shape), E4M3, codes(*w_shape), E4M3, F32, convolution, accumulator=Exact())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: convolve(w_shape=(3, 3, 3, 2)), "weights see 3 channels, where 2 are in a group"),
        (lambda: convolve(groups=3), "2 channels and 2 filters do not divide into 3 groups"),
        (lambda: convolve(groups=0), "do not divide into 0 groups"),
        (lambda: convolve(stride=(0, 1)), "stride is 0: at least 1"),
        (lambda: convolve(dilation=(1, 0)), "dilation is 0: at least 1"),
        (lambda: convolve(padding=(-1, 0)), "padding is -1: at least 0"),
        (lambda: convolve(dilation=(1, 2)), "a window over 5 elements does not fit an image of 4 with padding 0"),
        (lambda: convolve(x_shape=(4, 4, 2)), r"images are \[n, h, w, c\], not an array of 3 dimensions"),
        (lambda: convolve(w_shape=(3, 2, 2)), r"weights are \[r, s, c, o\], not an array of 3 dimensions"),
        (
            lambda: kernels.convolution_weight_gradient(
                codes(1, 4, 4, 2), E4M3, codes(1, 3, 2, 5), E4M3, F32, (3, 3), accumulator=Exact()
            ),
            r"dy is \[1, 3, 2, 5\], where x asks for \[1, 2, 2, 5\]",
        ),
        (
            lambda: kernels.convolution_input_gradient(
                codes(1, 2, 2, 5), E4M3, codes(3, 3, 2, 5), E4M3, F32, (4, 5), accumulator=Exact()
            ),
            r"dy is \[1, 2, 2, 5\], where x asks for \[1, 2, 3, 5\]",
        ),
        (
            lambda: kernels.dense(codes(2, 3), E4M3, codes(4, 2), E4M3, F32, accumulator=Exact()),
            "A is 2x3 and B is 4x2",
        ),
        (
            lambda: kernels.dense(codes(2, 3), E4M3, codes(3, 2), UNUM, F32, accumulator=Exact()),
            "the format of B is unum2x2",
        ),
        (lambda: kernels.bias(codes(2, 3), E4M3, codes(1), E4M3, F32, "ieee"), r"the bias is \[1\], where x .*\[3\]"),
        (lambda: kernels.add(codes(2, 3), E4M3, codes(3), E4M3, F32, "ieee"), r"z is \[3\], where x asks for \[2, 3\]"),
        (lambda: kernels.relu_gradient(codes(2), E4M3, codes(3)), r"dy is \[3\], where y asks for \[2\]"),
        (
            lambda: kernels.max_pool(codes(1, 4, 4, 1), E4M3, 2, padding=2),
            "padding 2 is more than half of a window of 2",
        ),
        (lambda: kernels.max_pool(codes(1, 1, 1, 1), E4M3, 2), "does not fit an image of 1"),
        (lambda: kernels.max_pool(codes(1, 4, 4, 1), E4M3, 0), "taps is 0: at least 1"),
        (
            lambda: kernels.max_pool_gradient(codes(1, 4, 4, 1), E4M3, codes(1, 3, 2, 1), E4M3, 2),
            r"dy is \[1, 3, 2, 1\], where x asks for \[1, 2, 2, 1\]",
        ),
        (
            lambda: kernels.average_pool_gradient(codes(1, 3, 2, 1), E4M3, E4M3, (4, 4), 2, "ieee"),
            r"dy is \[1, 3, 2, 1\], where x asks for \[1, 2, 2, 1\]",
        ),
        (
            lambda: kernels.batch_norm(codes(1, 3), E4M3, codes(3), codes(3), E4M3, codes(3), codes(3), E4M3, "ieee"),
            "at least 2 rows, not 1",
        ),
        (
            lambda: kernels.layer_norm(codes(2, 3), E4M3, codes(2), codes(3), E4M3, E4M3, "ieee"),
            r"the weight is \[2\], where x asks for \[3\]",
        ),
        (
            lambda: kernels.layer_norm(codes(2, 3), E4M3, codes(3), codes(3), E4M3, E4M3, "ieee", epsilon=0.0),
            "epsilon is 0.0: above 0",
        ),
        (
            lambda: kernels.softmax_cross_entropy(
                codes(2, 3), E4M3, np.array([0, 3], np.uint32), E4M3, F32, 1.0, "ieee"
            ),
            "label 3 is no class: they are 0 to 2",
        ),
        (
            lambda: kernels.mean_squared_error(codes(2, 3), E4M3, codes(2), E4M3, E4M3, F32, 1.0, "ieee"),
            r"the targets is \[2\], where y asks for \[2, 3\]",
        ),
        (
            lambda: kernels.sgd(codes(2), E4M3, codes(3), E4M3, codes(2), E4M3, 0.1, 0.9, "ieee"),
            r"the velocity is \[3\], where the weight asks for \[2\]",
        ),
        (
            lambda: kernels.adam(codes(2), E4M3, codes(2), codes(3), E4M3, codes(2), E4M3, (1.0, 1.0), 0.1, "ieee"),
            r"the square is \[3\], where the weight asks for \[2\]",
        ),
        (lambda: kernels.relu(codes(2), UNUM, F32, "ieee"), "unum2x2 is for storage: kernels need a format of single"),
        (lambda: kernels.relu(codes(2), E4M3, UNUM, "ieee"), "unum2x2 is for storage: kernels need a format of single"),
        (lambda: kernels.convert(codes(2), E4M3, F32, "clip"), "overflow 'clip' is neither 'ieee' nor 'saturate'"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(GoldenError, match=message):
        call()


def test_codes_out_of_range_are_refused():
    six_bits = parse_format("e3m2fn")
    with pytest.raises(FormatError, match="0x40 is no code of e3m2fn"):
        kernels.relu(np.array([0x40], np.uint8), six_bits, F32, "ieee")
