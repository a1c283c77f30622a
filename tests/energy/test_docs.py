"""The tables in docs/energy.md are those that the data give."""

import json
import re
from pathlib import Path

import pytest

from pyhost.cosim.joules import shipped_circuits
from pyhost.energy import load_technology
from pyhost.energy.comparison import FORMATS, mac_energies
from pyhost.golden.cycles.firmware import fits
from pyhost.report.tables import amount, percent

DOCUMENT = Path(__file__).parents[2] / "docs" / "energy.md"


def documented(mark):
    """The table between the comments `mark` and `end`."""
    return re.search(rf"<!-- {mark} -->\n(.*?)\n?<!-- end -->", DOCUMENT.read_text(), re.DOTALL)[1]


def energies(name):
    rows = mac_energies(FORMATS, load_technology(name), shipped_circuits())
    lines = ["| format | sum | bits | table | interval | ratio | synthesis | interval | ratio |", "|" + "---|" * 9]
    for row in rows:
        cells = [row.format, row.accumulator, str(row.accumulator_bits)]
        for energy in (row.published, row.synthesised):
            if energy is None:
                cells += ["–", "–", "–"]
            else:
                interval = f"{amount(energy.low)} to {amount(energy.high)}"
                times = "–" if energy.ratio is None else f"{energy.ratio:.2f}"
                cells += [amount(energy.picojoules), interval, times]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def errors():
    lines = ["| kernels | formats | samples | largest error | typical error |", "|---|---|---|---|---|"]
    job = fits().job
    lines.append(f"| product on the accelerator | – | {job.samples} | {percent(job.error)} | {percent(job.rms)} |")
    for kind, of_kind in fits().kinds.items():
        found = list(of_kind.values())
        typical = (sum(fit.samples * fit.rms**2 for fit in found) / sum(fit.samples for fit in found)) ** 0.5
        cells = [
            kind,
            str(len(found)),
            str(sum(fit.samples for fit in found)),
            percent(max(fit.error for fit in found)),
        ]
        lines.append(f"| {' | '.join(cells)} | {percent(typical)} |")
    return "\n".join(lines)


def test_the_table_of_formats_is_current():
    assert documented("table: horowitz-45nm") == energies("horowitz-45nm")


def test_the_table_of_fits_is_current():
    assert documented("fits") == errors()


@pytest.mark.parametrize("format_", FORMATS)
def test_the_command_says_the_same(format_, capsys):
    from pyhost.cli import main

    with pytest.raises(SystemExit) as end:
        main(["energy", format_, "--json"])
    assert end.value.code == 0
    rows = json.loads(capsys.readouterr().out)["formats"]
    expected = mac_energies((format_,), load_technology(), shipped_circuits())
    assert [row["published"]["picojoules"] for row in rows] == [row.published.picojoules for row in expected]
