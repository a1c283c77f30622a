"""Profiles by function: stacks of a program whose calls are known, every cycle in one of them; and their files."""

import json
from collections import Counter
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import firmware
from firmware.build import TOOLCHAINS, linker_script
from pyhost.cosim.build import build_soc, zig_environment
from pyhost.cosim.hardware import Hardware
from pyhost.cosim.tools import run_tool
from pyhost.errors import TargetError
from pyhost.profile.functions import BETWEEN, FunctionProfile, Span, profile_functions
from pyhost.targets.base import Limit
from pyhost.targets.elf import ElfImage
from pyhost.targets.recording import CALL, RUN, SAMPLE, TRAFFIC, Recording
from pyhost.targets.verilator import VerilatorTarget

# After https://github.com/jlfwong/speedscope/blob/main/src/lib/file-format-spec.ts: a file of sampled profiles.
_COUNT = {"type": "number", "minimum": 0}
SPEEDSCOPE = {
    "type": "object",
    "required": ["$schema", "shared", "profiles"],
    "properties": {
        "$schema": {"const": "https://www.speedscope.app/file-format-schema.json"},
        "name": {"type": "string"},
        "exporter": {"type": "string"},
        "activeProfileIndex": _COUNT,
        "shared": {
            "type": "object",
            "required": ["frames"],
            "properties": {
                "frames": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {"name": {"type": "string"}, "file": {"type": "string"}, "line": _COUNT},
                    },
                }
            },
        },
        "profiles": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["type", "name", "unit", "startValue", "endValue", "samples", "weights"],
                "properties": {
                    "type": {"const": "sampled"},
                    "name": {"type": "string"},
                    "unit": {"enum": ["none", "nanoseconds", "microseconds", "milliseconds", "seconds", "bytes"]},
                    "startValue": _COUNT,
                    "endValue": _COUNT,
                    "samples": {"type": "array", "items": {"type": "array", "items": {**_COUNT, "type": "integer"}}},
                    "weights": {"type": "array", "items": _COUNT},
                },
            },
        },
    },
}


class Functions:
    """An image in which every 16 bytes are a function; in the second half of `b` there is `c`, inlined."""

    def functions_at(self, address):
        name = "abcd"[address // 16]
        return ("b", "c") if name == "b" and address % 16 >= 8 else (name,)


def recording(samples, calls=((0, 0),), moments=(1000, 1010, 1030)):
    return Recording(
        moments=np.array(moments, np.uint64),
        calls=np.array(list(calls), CALL),
        samples=np.array(samples, SAMPLE),
        runs=np.zeros(0, RUN),
        traffic=np.zeros((0, len(TRAFFIC)), np.uint8),
    )


def test_cycles_go_to_kernels_by_epoch_and_to_functions_by_call():
    calls = [(0, 0), (0, 0x14), (1, 0x1C)]  # from b, and there from c
    samples = [
        (0, 0, 0x00, 3),
        (0, 0, 0x00, 4),  # of one place there may be several
        (0, 1, 0x20, 3),
        (1, 2, 0x30, 20),
        (2, 0, 0x00, 99),  # after the step
    ]
    profile = profile_functions(recording(samples, calls), [Span("k", 0, 10)], 30, Functions())
    assert profile.stacks == {("k", "a"): 7, ("k", "b", "c"): 3, (BETWEEN, "b", "b", "c", "d"): 20}
    assert profile.cycles == 30


def test_the_same_place_in_two_calls_is_two_stacks():
    calls = [(0, 0), (0, 0x04), (0, 0x14)]
    samples = [(0, 1, 0x30, 4), (0, 2, 0x30, 6)]
    profile = profile_functions(recording(samples, calls, (0, 10)), [Span("k", 0, 10)], 10, Functions())
    assert profile.stacks == {("k", "a", "d"): 4, ("k", "b", "d"): 6}


def test_a_recording_of_another_step_is_refused():
    with pytest.raises(TargetError, match="does not fit the step"):
        profile_functions(recording([(0, 0, 0, 1)]), [Span("k", 0, 11)], 30, Functions())


PROFILE = FunctionProfile({("k", "main", "f"): 5, ("k", "main", "f", "f"): 2, ("l", "main"): 3, ("l", "main", "g"): 7})


def test_own_and_total_cycles_of_functions():
    assert [(f.name, f.self_cycles, f.total_cycles) for f in PROFILE.functions] == [
        *(("f", 7, 7), ("g", 7, 7), ("main", 3, 17)),
    ]


def test_collapsed_stacks_are_lines_that_sum_to_the_step():
    lines = PROFILE.collapsed().splitlines()
    assert "k;main;f;f 2" in lines
    assert sum(int(line.rpartition(" ")[2]) for line in lines) == PROFILE.cycles == 17


def test_speedscope_files_are_valid_and_complete():
    document = json.loads(PROFILE.speedscope("a run"))
    jsonschema.Draft202012Validator(SPEEDSCOPE).validate(document)
    [profile] = document["profiles"]
    frames = [frame["name"] for frame in document["shared"]["frames"]]
    assert len(set(frames)) == len(frames)
    stacks = {tuple(frames[i] for i in sample) for sample in profile["samples"]}
    assert dict(zip(stacks, stacks, strict=True)).keys() == PROFILE.stacks.keys()
    assert sum(profile["weights"]) == profile["endValue"] - profile["startValue"] == 17
    assert len(profile["samples"]) == len(profile["weights"])


@pytest.fixture(scope="module")
def soc():
    return build_soc(Hardware(cpu="full", main_ram=1 << 16))


@pytest.fixture(scope="module")
def image(soc, tmp_path_factory):
    directory, toolchain = tmp_path_factory.mktemp("profile"), TOOLCHAINS["zig"]
    (directory / "program.ld").write_text(linker_script((soc.directory / "regions.ld").read_text()))
    run_tool(
        [
            *(*toolchain.command, *toolchain.with_multiplier, "-O1", "-g", "-gdwarf-4", "-ffreestanding"),
            *(f"-I{soc.directory}", f"-I{Path(firmware.__file__).parent}", "-foptimize-sibling-calls"),
            *(Path(__file__).with_name("profile_program.c"), "-T", "program.ld", "-o", "program.elf"),
        ],
        cwd=directory,
        timeout=300,
        purpose="compiling the test's program",
        environment=zig_environment(),
    )
    return ElfImage(directory / "program.elf")


def run(soc, image, recorded):
    """Cycles by the program's account, all memory at its end, the recording."""
    with VerilatorTarget(soc.library) as target:
        target.load(image)
        if recorded:
            target.recorder.start()
        place, layout = image.symbol("measured"), image.layout("measured")

        def measured(name):
            field = layout[name]
            return int.from_bytes(target.read(place + field.offset, field.size), "little")

        target.run(lambda: measured("done") == 1, Limit(cycles=1_000_000))
        memory = target.read(0x4000_0000, 1 << 16)
        return measured("cycles"), memory, target.recorder.stop() if recorded else None


@pytest.fixture(scope="module")
def profiled(soc, image):
    cycles, _, recording = run(soc, image, recorded=True)
    return profile_functions(recording, [Span("k", 0, cycles)], cycles, image), cycles


@pytest.mark.hardware
def test_every_cycle_of_the_program_is_in_one_stack(profiled):
    profile, cycles = profiled
    assert profile.cycles == cycles
    assert {stack[0] for stack in profile.stacks} == {"k"}


@pytest.mark.hardware
def test_stacks_are_the_calls_of_the_program(profiled):
    profile, _ = profiled
    expected = {
        ("main", "warm"),
        ("main", "warm", "cold"),
        ("main", "warm", "hot"),
        ("main", "warm", "folded"),
        ("main", "hot"),
        *(("main", *["recurse"] * depth) for depth in range(1, 5)),
        ("main", "jumps_to_last"),
        ("main", "last"),
        ("main", "cold"),
    }
    ours = {stack[1:] for stack in profile.stacks}
    counting = {stack for stack in ours if not {"cycle_count", "register_write", "register_read"} & {*stack}}
    assert counting - {("main",)} == expected


@pytest.mark.hardware
def test_the_hot_function_is_found_with_its_cycles(profiled):
    profile, cycles = profiled
    own = Counter({function.name: function.self_cycles for function in profile.functions})
    total = {function.name: function.total_cycles for function in profile.functions}
    assert profile.functions[0].name == "hot"
    # A round of the loop takes the same number of cycles wherever it is; calls and cold caches come on top.
    a_round = own["hot"] / (2 * 5000)
    for name, rounds in (("folded", 500), ("recurse", 4 * 50), ("last", 200), ("jumps_to_last", 100), ("cold", 2 * 50)):
        assert rounds * a_round * 0.95 < own[name] < rounds * a_round + 200, name
    assert total["recurse"] == own["recurse"]
    assert total["warm"] > own["hot"] / 2 + own["folded"]
    assert total["main"] == cycles


@pytest.mark.hardware
def test_recording_changes_nothing(soc, image):
    assert run(soc, image, recorded=True)[:2] == run(soc, image, recorded=False)[:2]


@pytest.mark.hardware
def test_a_recording_ends_when_a_program_is_loaded(soc, image):
    with VerilatorTarget(soc.library) as target:
        target.load(image)
        with pytest.raises(TargetError, match="nothing has been recorded"):
            target.recorder.stop()
        target.recorder.start()
        target.load(image)
        with pytest.raises(TargetError, match="nothing has been recorded"):
            target.recorder.stop()
        target.recorder.start()
        target.advance()
        assert len(target.recorder.stop().moments) > 0
