"""A profiled run of a whole step: every cycle, state and word is accounted for."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile

from pyhost.cosim.build import build_firmware, build_soc
from pyhost.cosim.launch import hardware_of
from pyhost.cosim.run import run
from pyhost.errors import JobError
from pyhost.profile import read_result
from pyhost.profile.activity import read_activity
from pyhost.profile.functions import BETWEEN


@pytest.fixture(scope="module")
def profiled(small_job, tmp_path_factory):
    return run(small_job, profile=True, runs_dir=tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def stacks(profiled):
    """Cycles by stack, from the file."""
    lines = (Path(profiled.directory) / "profile.collapsed.txt").read_text().splitlines()
    return {tuple(stack.split(";")): int(cycles) for stack, _, cycles in (line.rpartition(" ") for line in lines)}


def test_recording_changes_no_cycle(profiled, small_job):
    plain = run(small_job, runs_dir=None)
    assert profiled.bit_exact
    assert [kernel.cycles for kernel in profiled.kernels] == [kernel.cycles for kernel in plain.kernels]
    assert profiled.totals.cycles == plain.totals.cycles
    assert plain.functions is None


def test_every_cycle_of_the_step_and_of_each_kernel_is_in_a_stack(profiled, stacks):
    by_kernel = Counter()
    for (kernel, *_), cycles in stacks.items():
        by_kernel[kernel] += cycles
    assert sum(by_kernel.values()) == profiled.totals.cycles
    between = by_kernel.pop(BETWEEN)
    assert by_kernel == {kernel.name: kernel.cycles for kernel in profiled.kernels}
    assert between == profiled.totals.cycles - sum(kernel.cycles for kernel in profiled.kernels)


def test_functions_exist_in_the_firmware(profiled, stacks, small_job):
    firmware = build_firmware(build_soc(hardware_of(small_job)))
    strings = b""
    with firmware.open("rb") as file:
        elf = ELFFile(file)
        for name in (".strtab", ".debug_str"):
            strings += elf.get_section_by_name(name).data()
    for function in {frame for _, *frames in stacks for frame in frames}:
        assert function.encode() in strings, function
    assert {"main", "plan_execute", "kernel_sgd"} <= {function.name for function in profiled.functions}


def test_kernels_call_what_they_are(stacks):
    callees = {(stack[0].split(".")[-1], frame) for stack in stacks for frame in stack[1:]}
    assert ("update", "kernel_sgd") in callees
    assert ("loss", "kernel_softmax_cross_entropy") in callees
    assert ("forward", "kernel_sgd") not in callees
    assert ("bias_gradient", "kernel_bias_gradient") in callees


def test_own_cycles_of_functions_are_the_whole_step(profiled, stacks):
    assert sum(function.self_cycles for function in profiled.functions) == profiled.totals.cycles
    own = Counter()
    for stack, cycles in stacks.items():
        own[stack[-1]] += cycles
    assert {function.name: function.self_cycles for function in profiled.functions if function.self_cycles} == own
    assert read_result(profiled.directory).functions == profiled.functions


def test_speedscope_has_the_same_stacks(profiled, stacks):
    document = json.loads((Path(profiled.directory) / "profile.speedscope.json").read_text())
    [profile], frames = document["profiles"], document["shared"]["frames"]
    names = [tuple(frames[i]["name"] for i in sample) for sample in profile["samples"]]
    assert dict(zip(names, profile["weights"], strict=True)) == stacks


def test_activity_is_what_the_accelerator_counted(profiled):
    activity, counted = read_activity(profiled.directory), profiled.totals.accelerator
    assert activity.cycles == profiled.totals.cycles
    for state in ("busy", "wait_a", "wait_b", "wait_store"):
        assert activity.cycles_in(state) == getattr(counted, state), state
    assert int(activity.dma_reads.sum()) + int(activity.dma_writes.sum()) == counted.dma_beats
    assert int(activity.bus_wait.sum()) == counted.bus_wait


def test_activity_of_each_job_lies_in_its_kernel(profiled):
    """Where no other job was in the queue."""
    activity = read_activity(profiled.directory)
    states = np.repeat(activity.state, activity.length)
    kernels = profiled.kernels
    alone = [
        kernel
        for before, kernel, after in zip(kernels, kernels[1:], kernels[2:], strict=False)
        if kernel.accelerator and not before.accelerator and not after.accelerator
    ]
    assert alone
    for kernel in alone:
        counts = np.bincount(states[kernel.begin : kernel.begin + kernel.cycles], minlength=5)[1:]
        counted = kernel.accelerator
        assert counts.tolist() == [counted.busy, counted.wait_a, counted.wait_b, counted.wait_store], kernel.name


def test_words_of_the_cpu_are_those_that_the_soc_counts(profiled):
    """Of intervals that lie in one kernel: those at its ends are shared."""
    activity = read_activity(profiled.directory)
    for kernel in profiled.kernels:
        first, last = kernel.begin // activity.interval, (kernel.begin + kernel.cycles) // activity.interval
        for name, counted in (
            ("cpu_reads", kernel.cpu_bus.reads),
            ("cpu_writes", kernel.cpu_bus.writes),
            ("cpu_busy", kernel.cpu_bus.busy),
        ):
            words = getattr(activity, name)
            inner, outer = int(words[first + 1 : last].sum()), int(words[first : last + 1].sum())
            assert inner <= counted <= outer, (kernel.name, name)


def test_kernels_are_one_after_the_other(profiled):
    end = 0
    for kernel in profiled.kernels:
        assert kernel.begin >= end
        end = kernel.begin + kernel.cycles
    assert end == profiled.totals.cycles


def test_nothing_is_profiled_without_a_soc(small_job):
    with pytest.raises(JobError, match="the golden target cannot be profiled: nobody sees its every cycle"):
        run(small_job, target="golden", profile=True, runs_dir=None)
