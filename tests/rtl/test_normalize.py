"""The exact normalizer on limbs with carries between them, against integers."""

import numpy as np
import pytest

from accel_rtl.config import AcceleratorConfig
from accel_rtl.normalize import ExactNormalizer
from tests.rtl.dut import Dut

pytestmark = [pytest.mark.hardware, pytest.mark.slow]

EDGES = [0, 1, 2, (1 << 31) - 1, 1 << 31, (1 << 31) + 1, (1 << 32) - 2, (1 << 32) - 1]
CONFIGS = {
    2: AcceleratorConfig(rows=1, columns=1, operand_formats=("e3m4",), stochastic=False),
    3: AcceleratorConfig(rows=1, columns=1, operand_formats=("e4m3fn", "e5m2"), result_formats=("e8m23",)),
    6: AcceleratorConfig(rows=1, columns=1, operand_formats=("e6m9",)),
}


@pytest.mark.parametrize("limbs", CONFIGS)
def test_carries_ripple_and_magnitudes_are_exact(limbs):
    config = CONFIGS[limbs]
    assert config.limbs == limbs
    module = ExactNormalizer(config)
    inputs = {f"word_{i}": word for i, word in enumerate(module.words)}
    outputs = {name: getattr(module.number, name) for name, *_ in module.number.layout}
    dut = Dut(module, f"normalizer_{limbs}", inputs, outputs)
    rng = np.random.default_rng(limbs)
    count, bits = 40_000, ExactNormalizer.significand_bits(config)
    shape = count, limbs
    words = np.where(rng.random(shape) < 0.8, rng.choice(EDGES, shape), rng.integers(0, 1 << 32, shape))
    carries = rng.integers(2, size=shape)
    flags = rng.choice(8, count, p=[0.86, *[0.02] * 7])
    given = np.pad(words | carries << 32, ((0, ExactNormalizer.LATENCY), (0, 0)))
    columns = {f"word_{i}": given[:, i] for i in range(limbs)}
    out = dut.run(**columns, **{f"word_{limbs}": np.pad(flags, (0, ExactNormalizer.LATENCY))})
    got = {name: values[ExactNormalizer.LATENCY :].tolist() for name, values in out.items()}
    whole = 1 << 32 * limbs
    tested = 0
    for i in range(count):
        digits = zip(words[i].tolist(), [0, *carries[i, :-1].tolist()], strict=True)
        total = sum((limb + carry) << 32 * j for j, (limb, carry) in enumerate(digits)) % whole
        total -= whole if total >> (32 * limbs - 1) else 0
        if abs(total) >= whole // 4:  # a sum of so many products never comes so close to the register's end
            continue
        tested += 1
        what = f"limbs {[hex(w) for w in words[i].tolist()]}, carries {carries[i]}"
        nan, plus, minus = (bool(flags[i] >> bit & 1) for bit in range(3))
        assert got["nan"][i] == (nan or (plus and minus)), what
        assert got["infinity"][i] == (plus != minus), what
        if plus != minus:
            assert got["sign"][i] == minus, what
            continue
        assert got["zero"][i] == (total == 0), what
        assert got["sign"][i] == (total < 0), what
        if total:
            length = abs(total).bit_length()
            aligned = abs(total) << 32 * limbs - length
            below = 32 * limbs - bits
            kept, lost = (aligned >> below, aligned & (1 << below) - 1) if below >= 0 else (aligned << -below, 0)
            exponent = got["exponent"][i] - ((got["exponent"][i] >> 12) << 13)
            assert exponent == config.accumulator_unit + length - 1, what
            assert got["significand"][i] == kept, what
            assert got["sticky"][i] == (lost != 0), what
    assert tested > count // 4
