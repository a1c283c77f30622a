"""Tracks of slices and of counts over time, written as a trace that ui.perfetto.dev opens.

The format is Perfetto's own, protobuf packets with whole nanoseconds, nested tracks and units; see
https://perfetto.dev/docs/reference/synthetic-track-event.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, TypeAlias

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import (  # type: ignore[import-untyped]
    Trace,
    TracePacket,
    TrackDescriptor,
    TrackEvent,
)

__all__ = ["Slice", "Track", "Value", "write_tracks"]

Value: TypeAlias = "bool | int | float | str | Sequence[Value] | Mapping[str, Value] | None"

_SEQUENCE = 1
_PACKETS_A_WRITE = 4096


@dataclass(frozen=True, slots=True)
class Slice:
    """Something that lasts `cycles` from cycle `start`. What is None in `arguments` is left out."""

    start: int
    cycles: int
    name: str
    arguments: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Track:
    """A line of the trace: `slices` that do not overlap, in order; or, where it has a `unit`, a count over time.

    samples: (cycle, value from then on), in order.
    children: tracks below this one.
    """

    name: str
    description: str = ""
    slices: Iterable[Slice] = ()
    samples: Iterable[tuple[int, float]] = ()
    unit: str | None = None
    children: tuple[Track, ...] = ()


def write_tracks(file: IO[bytes], tracks: Iterable[Track]) -> None:
    """Write a trace of `tracks`. The trace's nanoseconds are cycles; cycle 0 is its beginning."""
    packets = _Packets()
    trace = Trace()
    for packet in packets.of(tracks):
        trace.packet.append(packet)
        if len(trace.packet) == _PACKETS_A_WRITE:
            file.write(trace.SerializeToString())
            trace = Trace()
    file.write(trace.SerializeToString())  # traces one after the other are one trace


class _Packets:
    """Packets of one sequence: it numbers tracks, and names that recur."""

    def __init__(self) -> None:
        self._tracks = 0
        self._names: dict[str, int] = {}

    def of(self, tracks: Iterable[Track]) -> Iterator[Any]:
        first = TracePacket(trusted_packet_sequence_id=_SEQUENCE)
        first.sequence_flags = TracePacket.SEQ_INCREMENTAL_STATE_CLEARED
        yield first
        yield from self._nested(tracks, parent=None)

    def _nested(self, tracks: Iterable[Track], parent: int | None) -> Iterator[Any]:
        for rank, track in enumerate(tracks):
            self._tracks += 1
            number = self._tracks
            yield _description(track, number, parent, rank)
            if track.unit is None:
                yield from self._slices(track.slices, number)
            else:
                yield from self._samples(track.samples, number)
            yield from self._nested(track.children, number)

    def _slices(self, slices: Iterable[Slice], number: int) -> Iterator[Any]:
        for each in slices:
            begin = _event(each.start, number, TrackEvent.TYPE_SLICE_BEGIN)
            if each.name not in self._names:
                self._names[each.name] = len(self._names) + 1
                begin.interned_data.event_names.add(iid=self._names[each.name], name=each.name)
            begin.track_event.name_iid = self._names[each.name]
            for name, value in each.arguments.items():
                if value is not None:
                    _set(begin.track_event.debug_annotations.add(name=name), value)
            yield begin
            yield _event(each.start + each.cycles, number, TrackEvent.TYPE_SLICE_END)

    def _samples(self, samples: Iterable[tuple[int, float]], number: int) -> Iterator[Any]:
        for cycle, value in samples:
            packet = _event(cycle, number, TrackEvent.TYPE_COUNTER)
            packet.track_event.double_counter_value = value
            yield packet


def _description(track: Track, number: int, parent: int | None, rank: int) -> Any:
    packet = TracePacket(trusted_packet_sequence_id=_SEQUENCE)
    description = packet.track_descriptor
    description.uuid, description.name, description.description = number, track.name, track.description
    description.sibling_order_rank = rank
    description.child_ordering = TrackDescriptor.EXPLICIT
    if parent is not None:
        description.parent_uuid = parent
    if track.unit is not None:
        description.counter.unit_name = track.unit
    return packet


def _event(cycle: int, number: int, kind: int) -> Any:
    packet = TracePacket(timestamp=cycle, trusted_packet_sequence_id=_SEQUENCE)
    packet.sequence_flags = TracePacket.SEQ_NEEDS_INCREMENTAL_STATE
    packet.track_event.type = kind
    packet.track_event.track_uuid = number
    return packet


def _set(annotation: Any, value: Value) -> None:
    match value:
        case bool():
            annotation.bool_value = value
        case int():
            annotation.int_value = value
        case float():
            annotation.double_value = value
        case str():
            annotation.string_value = value
        case Mapping():
            for name, item in value.items():
                if item is not None:
                    _set(annotation.dict_entries.add(name=name), item)
        case Sequence():
            for item in value:
                _set(annotation.array_values.add(), item)
