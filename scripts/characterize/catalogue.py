"""What is characterised, and what each circuit is fed with."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from accel_rtl.form import InternalForm
from accel_rtl.round import Rounder
from pyhost.energy.circuits import ACTIVITIES, ActivityName
from pyhost.formats import parse_format
from scripts.characterize.blocks import Design, decoder, element, fused_multiply_add, integer_mac, rounder
from scripts.characterize.operands import Recording, Sums, Training, record, uniform

__all__ = ["TRAININGS", "Item", "items"]

Integers = NDArray[np.integer]
Stimulus = Mapping[str, Integers]
Key = tuple[str, tuple[str, ...], str | None]
Source = Callable[[ActivityName, int, np.random.Generator], Stimulus | None]
"""(activity, vectors, random): integers by input port, or None where a design has nothing to do."""

TRAININGS = (
    Training("e4m3fn", "e5m2", "exact"),
    Training("e4m3fn", "e5m2", "e5m10"),
    Training("e4m3fn", "e5m2", "e8m23"),
    Training("e4m3fn", "e4m3fn", "exact", loss_scale=64),
    Training("e5m2", "e5m2", "exact"),
    Training("posit8", "posit8", "exact", result="posit16"),
    Training("e5m10", "e5m10", "exact", loss_scale=1024),
    Training("e5m10", "e5m10", "e5m10", loss_scale=16),
    Training("e5m10", "e5m10", "e8m23", loss_scale=1024),
    Training("e8m7", "e8m7", "e8m7"),
    Training("e8m7", "e8m7", "e8m23"),
    Training("e8m23", "e8m23", "e8m23"),
)
"""Whose steps give the operands: the formats of the examples, and those that they are to be compared with."""

BINARY32 = Training("e8m23", "e8m23", "e8m23")
LARGEST_INTEGER = 127


@dataclass(frozen=True)
class Item:
    """How to make a design, the names of its blocks, (unit, formats, accumulator), and what to feed it with.

    counted: those of its circuits that the library gets from it.
    """

    design: Callable[[], Design]
    circuits: tuple[Key, ...]
    stimulus: Source
    counted: tuple[Key, ...] = ()

    @property
    def name(self) -> str:
        """Such as "multiply, accumulate: e4m3fn in exact"."""
        units = ", ".join(unit for unit, _, _ in self.circuits)
        _, formats, accumulator = self.circuits[-1]
        return f"{units}: {'+'.join(formats) or 'int8'}" + (f" in {accumulator}" if accumulator else "")


def items() -> Iterator[Item]:
    """All of them; a circuit that two items have counts in the first."""
    taken: set[Key] = set()
    for item in _all_items():
        yield replace(item, counted=tuple(key for key in item.circuits if key not in taken))
        taken |= set(item.circuits)


def _all_items() -> Iterator[Item]:
    operands = {training.formats: training for training in reversed(TRAININGS)}
    for formats, training in reversed(operands.items()):
        yield Item(partial(decoder, formats), (("decode", formats, None),), _decoder_stimulus(training))
    for training in TRAININGS:
        names = ("multiply", training.formats, None), ("accumulate", training.formats, training.accumulator)
        yield Item(partial(element, training.formats, training.accumulator), names, _element_stimulus(training))
    results = {tuple(dict.fromkeys((*t.formats, t.result))): t for t in reversed(TRAININGS)}
    results |= {formats: t for formats, t in operands.items() if formats not in results}
    results |= {("e4m3fn",): operands["e4m3fn",]}
    for formats, training in results.items():
        yield Item(partial(rounder, formats), (("round", formats, None),), _rounder_stimulus(training, formats))
    for name in ("e8m23", "e5m10", "e8m7"):
        training = next(t for t in TRAININGS if (t.formats, t.accumulator) == ((name,), name))
        yield Item(partial(fused_multiply_add, name), (("fma", (name,), name),), _codes_stimulus(training))
    yield Item(integer_mac, (("int8_mac", (), None),), _integer_stimulus)


def _recording(training: Training, activity: ActivityName, vectors: int, random: np.random.Generator) -> Recording:
    if activity == ACTIVITIES[-1]:
        return uniform(training.formats, training.accumulator, vectors, random)
    return record(training, activity, vectors, random)


def _decoder_stimulus(training: Training) -> Source:
    """Codes of A, then those of B."""

    def stimulus(activity: ActivityName, vectors: int, random: np.random.Generator) -> Stimulus:
        recording = _recording(training, activity, -(-vectors // 2), random)
        a, b, _ = recording.operands()
        return {"code": np.concatenate((a, b)), "format": np.concatenate(recording.formats())}

    return stimulus


def _codes_stimulus(training: Training) -> Source:
    def stimulus(activity: ActivityName, vectors: int, random: np.random.Generator) -> Stimulus:
        a, b, first = _recording(training, activity, vectors, random).operands()
        return {"a": a, "b": b, "first": first}

    return stimulus


def _element_stimulus(training: Training) -> Source:
    """Operands as decoders give them; every cycle is a step."""
    known = [parse_format(name) for name in training.formats]
    form = InternalForm.of(known)

    def stimulus(activity: ActivityName, vectors: int, random: np.random.Generator) -> Stimulus:
        recording = _recording(training, activity, vectors, random)
        _, _, first = recording.operands()
        ones = np.ones(len(first), np.int64)
        ports = {"first": first, "step": ones, "enable": ones}
        for side in ("a", "b"):
            formats = [known[getattr(run, f"{side}_format")] for run in recording.runs]
            values = [f.decode(getattr(run, side)) for f, run in zip(formats, recording.runs, strict=True)]
            ports |= {f"{side}_{name}": field for name, field in _operand(np.concatenate(values), form).items()}
        return ports

    return stimulus


def _operand(values: NDArray[np.float64], form: InternalForm) -> dict[str, Integers]:
    """Fields of `operand_layout` of finite numbers."""
    fraction, exponent = np.frexp(np.abs(values))
    zero = values == 0
    return {
        "sign": np.signbit(values).astype(np.int64),
        "exponent": np.where(zero, 0, exponent - 1 + form.exponent_bias).astype(np.int64),
        "significand": np.ldexp(fraction, form.precision).astype(np.int64),
        "zero": zero.astype(np.int64),
    }


def _rounder_stimulus(training: Training, formats: tuple[str, ...]) -> Source:
    """Sums that become one of `formats`, to nearest even, saturating."""
    known = [parse_format(name) for name in formats]
    bits = Rounder.significand_bits_needed(known, True)

    def stimulus(activity: ActivityName, vectors: int, random: np.random.Generator) -> Stimulus | None:
        sums = [s for s in _recording(training, activity, vectors, random).sums if s.format in formats]
        if not sums:
            return None
        values, places = _repeated(sums, formats, vectors)
        fraction, exponent = np.frexp(np.abs(values))
        scaled = np.ldexp(fraction, bits)
        zero = values == 0
        return {
            "number_sign": np.signbit(values).astype(np.int64),
            "number_exponent": np.where(zero, 0, exponent - 1).astype(np.int64),
            "number_significand": np.floor(scaled).astype(np.int64),
            "number_sticky": (scaled != np.floor(scaled)).astype(np.int64),
            "number_zero": zero.astype(np.int64),
            "saturate": np.ones(len(values), np.int64),
            "format": places,
        }

    return stimulus


def _repeated(sums: list[Sums], formats: tuple[str, ...], vectors: int) -> tuple[NDArray[np.float64], Integers]:
    """At most `vectors` sums and their formats' indices, of each product as large a share as it has."""
    total = sum(len(s.values) for s in sums)
    shares = [max(1, min(len(s.values), vectors * len(s.values) // total)) for s in sums]
    values = np.concatenate([s.values[:share] for s, share in zip(sums, shares, strict=True)])
    places = [np.full(share, formats.index(s.format)) for s, share in zip(sums, shares, strict=True)]
    return values, np.concatenate(places)


def _integer_stimulus(activity: ActivityName, vectors: int, random: np.random.Generator) -> Stimulus:
    """Binary32 operands, scaled by the largest magnitude of their tensor; or random integers."""
    if activity == ACTIVITIES[-1]:
        a, b = (random.integers(256, size=vectors) for _ in range(2))
        return {"a": a, "b": b, "first": (np.arange(vectors) % 64 == 0).astype(np.int64)}
    recording = record(BINARY32, activity, vectors, random)
    binary32 = parse_format("e8m23")
    ports = {"first": recording.operands()[2]}
    for side, name in enumerate(("a", "b")):
        parts = [binary32.decode(getattr(r, name)) * (LARGEST_INTEGER / r.largest[side]) for r in recording.runs]
        ports[name] = np.rint(np.concatenate(parts)).astype(np.int64) & 0xFF
    return ports
