"""The roofline, by hand."""

from dataclasses import replace

from pyhost.profile.result import AcceleratorCounters
from pyhost.profile.roofline import roofline
from tests.report.results import golden, kernels, result


def test_points_and_roofs():
    roofs = roofline(result())
    assert (roofs.peak, roofs.bandwidth, roofs.ridge) == (64, 16, 4.0)
    first, second = roofs.points
    assert (first.traffic, first.intensity, first.performance) == (128 * 16, 4096 / 2048, 4096 / 200)
    assert roofs.roof(first.intensity) == 32.0
    assert (second.index, second.intensity, second.performance) == (1, 2.0, 12.8)
    assert roofs.roof(1000.0) == 64


def test_half_as_wide_a_port_has_half_the_slope():
    narrow = result(job=result().job.with_changes({"accelerator.port_bits": 64}))
    assert roofline(narrow).bandwidth == 8
    assert roofline(narrow).points[0].intensity == 4.0


def test_without_jobs_or_traffic_there_is_none():
    assert roofline(golden()) is None
    idle = tuple(replace(kernel, accelerator=AcceleratorCounters()) for kernel in kernels())
    assert roofline(result(kernels=idle)) is None
