"""Results to report: of known numbers, so that what a page shows can be told from what it should."""

from dataclasses import replace

import numpy as np

from pyhost.job import Job
from pyhost.profile.result import (
    AcceleratorCounters,
    Energy,
    EnergyPart,
    KernelResult,
    MemoryRegion,
    Mismatch,
    Number,
    Result,
    Seconds,
    Step,
    Totals,
    TrainResult,
)

JOB = Job().with_changes({"network.model": "mlp-digits", "network.batch": 4})


def kernels(*, energy=True):
    """Two products, of 64 x 4 x 16 and 8 x 8 x 8, and an update, which takes most cycles."""
    counters = AcceleratorCounters(
        macs=4096, cycles=200, busy=64, wait_a=60, wait_b=40, wait_store=36, dma_beats=128, bus_wait=3
    )
    small = AcceleratorCounters(macs=512, cycles=40, busy=8, wait_a=20, wait_b=10, wait_store=2, dma_beats=16)
    spent = [{"array": 900.0, "cpu": 100.0, "total": 1000.0}, {"array": 20.0, "cpu": 40.0, "total": 60.0}]
    spent.append({"array": 0.0, "cpu": 5940.0, "total": 5940.0})
    fields = [
        {"name": "dense1.forward", "kind": "gemm", "shape": (64, 4, 16), "macs": 4096, "cycles": 300},
        {"name": "dense1.input_gradient", "kind": "gemm", "shape": (8, 8, 8), "macs": 512, "cycles": 90},
        {"name": "dense1.weight.update", "kind": "sgd", "shape": (16, 4), "macs": 0, "cycles": 12_345},
    ]
    return tuple(
        KernelResult(
            index=index,
            bit_exact=True,
            accelerator=job,
            energy_pj=costs if energy else None,
            energy_interval_pj=(costs["total"] / 2, costs["total"] * 2) if energy else None,
            **each,
        )
        for index, (each, job, costs) in enumerate(zip(fields, (counters, small, None), spent, strict=True))
    )


def result(*, energy=True, **changes):
    """A step of a small network, with energy unless told otherwise."""
    measured = kernels(energy=energy)
    totals = Totals.of(measured, cycles=12_800, elements=64)
    parts = (
        EnergyPart(name="cpu", picojoules=6080.0, low=3000.0, high=12000.0, assumption="any core", source="a <paper>"),
        EnergyPart(name="array", picojoules=920.0, low=500.0, high=2000.0, assumption="any width", source="a model"),
    )
    estimate = Energy(
        technology="somewhere-45nm",
        node_nm=45,
        voltage=0.9,
        clock_mhz=100,
        parts=parts,
        total_pj=7000.0,
        low_pj=3500.0,
        high_pj=14000.0,
    )
    if energy:
        totals = replace(totals, energy_pj=7000.0, energy_interval_pj=(3500.0, 14000.0))
    fields = {
        "job": JOB,
        "target": "verilator",
        "bit_exact": True,
        "kernels": measured,
        "totals": totals,
        "loss": 2.25,
        "energy": estimate if energy else None,
        "seconds": Seconds(build=0.0, load=0.1, run=2.0, golden=0.5, total=2.7, simulated_cycles_per_second=1.5e6),
        "environment": {"python": "3.11", "verilator": None},
        "memory": (
            MemoryRegion(name="firmware", kind="firmware", address=0x40000000, size=65536),
            MemoryRegion(
                name="images", kind="input", address=0x40010000, size=256, format="e4m3fn", shape=(4, 8, 8, 1)
            ),
            MemoryRegion(name="a.gradient", kind="tensor", address=0x40010100, size=512, format="e5m2", shape=(4, 128)),
        ),
    }
    return Result(**{**fields, **changes})


def golden():
    """Without a SoC: no cycles, no counters, no energy, no memory map."""
    bare = tuple(
        replace(kernel, cycles=None, accelerator=None, energy_pj=None, energy_interval_pj=None) for kernel in kernels()
    )
    totals = Totals.of(bare, cycles=None, elements=0)
    return result(energy=False, target="golden", kernels=bare, totals=totals, memory=None)


def wrong():
    """The first kernel differs, with a NaN in it."""
    mismatch = Mismatch(
        kernel="dense1.forward",
        kernel_index=0,
        tensor="dense1.output",
        format="e8m23",
        index=(7, 3),
        expected=Number(0x3F800000, 1.0),
        actual=Number(0x7FC00000, float("nan")),
        different=13,
        elements=256,
    )
    first, *others = kernels()
    return result(bit_exact=False, mismatches=(mismatch,), kernels=(replace(first, bit_exact=False), *others))


def trained(steps=30):
    """Losses that fall, one of them infinite."""
    made = tuple(
        Step(
            step=i, loss=float("inf") if i == 5 else 2.0 / (i + 1), accuracy=i / steps, cycles=1000 + i, bit_exact=True
        )
        for i in range(steps)
    )
    return TrainResult(job=JOB, target="verilator", bit_exact=True, steps=made)


def record(what, directory, tensors=None):
    """A run directory of `what`; without tensors.npz unless they are given."""
    directory.mkdir()
    (directory / "result.json").write_text(what.to_json())
    (directory / "console.txt").write_text("")
    if tensors is not None:
        np.savez(directory / "tensors.npz", **tensors)
    return directory
