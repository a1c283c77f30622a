"""A network and an optimiser become a plan: a list of kernel calls on tensors at addresses."""

from pyhost.plan.calls import Gemm, Kernel, Matrix, Operand, Plan
from pyhost.plan.lowering import lower
from pyhost.plan.tensors import Placement, Tensor, place

__all__ = ["Gemm", "Kernel", "Matrix", "Operand", "Placement", "Plan", "Tensor", "lower", "place"]
