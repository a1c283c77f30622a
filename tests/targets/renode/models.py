"""The model of the accelerator behind the interface of the verilated one, so that both answer to the same tests."""

import ctypes
from dataclasses import fields

import numpy as np

from accel_rtl import AcceleratorConfig
from pyhost.cosim.hardware import AcceleratorHardware
from pyhost.targets.renode.model import build_model
from tests.rtl.device import MEMORY_BASE, Device, Outcome

__all__ = ["ModelDevice", "hardware_of"]


def hardware_of(config: AcceleratorConfig) -> AcceleratorHardware:
    """The host's words for a configuration."""
    return AcceleratorHardware(**{field.name: getattr(config, field.name) for field in fields(AcceleratorHardware)})


class _Results(ctypes.Structure):
    """What `Device` asks for."""

    timed_out = broken = cycles = 0
    completed = error = 0


class ModelDevice(Device):
    """The library that Renode loads; its jobs take no time, and stalls mean nothing to it."""

    def __init__(self, config: AcceleratorConfig, memory_bytes: int = 1 << 17) -> None:
        self.config = config
        self.bytes = np.zeros(memory_bytes, np.uint8)
        self.model = ctypes.CDLL(str(build_model(hardware_of(config), stochastic=config.stochastic)))
        self._error = 0
        self.reset()

    def reset(self) -> None:
        address = self.bytes.ctypes.data_as(ctypes.c_void_p)
        self.model.accelerator_reset(address, ctypes.c_uint32(MEMORY_BASE), ctypes.c_uint32(len(self.bytes)))

    def clear_error(self) -> None:
        self._error = 0

    def run(self, *descriptors: dict[str, int], **how) -> Outcome:
        return super().run(*descriptors, **how)

    def _run(self, addresses, ends, seed, stall, limit, overrun) -> _Results:
        results = _Results()
        for address in addresses:
            self._error = self.model.accelerator_run(ctypes.c_uint32(address)) or self._error
            results.completed += 1
        results.error = self._error
        return results
