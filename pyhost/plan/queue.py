"""The order of the accelerator's jobs: consecutive products of a plan wait in its queue together."""

from collections.abc import Iterable

from pyhost.plan.calls import Gemm, Kernel

__all__ = ["after"]


def after(kernels: Iterable[Kernel]) -> tuple[bool, ...]:
    """For each kernel, whether it is a product that must wait for all earlier ones (GEMM_AFTER).

    That is: it reads a tensor that an earlier product writes, and nothing in between waited for that one. Reads of one
    job never pass those of the next, nor writes, and a job writes after its first reads: what is written twice,
    or read and then written, needs no care.
    """
    flags: list[bool] = []
    pending: set[str] = set()  # tensors that unfinished products may still write
    for kernel in kernels:
        match kernel.call:
            case Gemm() as call:
                waits = any(tensor.name in pending for tensor in call.reads)
                if waits:
                    pending.clear()
                pending.add(call.d.tensor.name)
            case _:
                waits = False
                pending.clear()
        flags.append(waits)
    return tuple(flags)
