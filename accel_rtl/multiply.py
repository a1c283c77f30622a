"""The exact product of two operands."""

from migen import Module, Record

from accel_rtl.config import InternalForm
from accel_rtl.decode import operand_layout

__all__ = ["Multiplier", "product_layout"]


def product_layout(form: InternalForm) -> list[tuple[str, int]]:
    """(-1)^sign * significand * 2^(exponent - 2 * exponent_bias - 2 * (precision - 1)); nothing is rounded.

    One of the significand's two top bits is set, except that it is 0 for zeros, infinities and NaNs.
    """
    return [
        ("sign", 1),
        ("exponent", form.exponent_bits + 1),
        ("significand", 2 * form.precision),
        ("zero", 1),
        ("infinity", 1),
        ("nan", 1),
    ]


class Multiplier(Module):
    """product = a * b, combinational; infinity times zero is NaN.

    ======= ========= ==========================
    signal  direction meaning
    ======= ========= ==========================
    a, b    in        records of `operand_layout`
    product out       record of `product_layout`
    ======= ========= ==========================
    """

    def __init__(self, form: InternalForm) -> None:
        self.a = a = Record(operand_layout(form))
        self.b = b = Record(operand_layout(form))
        self.product = Record(product_layout(form))

        ###

        self.comb += [
            self.product.sign.eq(a.sign ^ b.sign),
            self.product.exponent.eq(a.exponent + b.exponent),
            self.product.significand.eq(a.significand * b.significand),
            self.product.zero.eq(a.zero | b.zero),
            self.product.infinity.eq(a.infinity | b.infinity),
            self.product.nan.eq(a.nan | b.nan | (a.infinity & b.zero) | (a.zero & b.infinity)),
        ]
