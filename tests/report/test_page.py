"""The page in a browser: what it shows, how it behaves, and that it needs nothing but itself."""

import re

import numpy as np
import pytest

from pyhost.cosim.replay import beginning
from pyhost.golden.gemm import Exact
from pyhost.golden.step import execute
from pyhost.profile.result import read_result
from pyhost.report.html import write_report
from tests.report.results import JOB, golden, kernels, record, result, trained, wrong

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tensors():
    """What a step of the job leaves, by the golden model."""
    plan, before = beginning(JOB)
    after = execute(plan, before, accumulator=Exact())
    return {tensor.name: after[tensor.name] for kernel in plan.kernels for tensor in kernel.outputs}


@pytest.fixture(scope="module")
def pages(tmp_path_factory, tensors):
    """Pages of results of several kinds, by name."""
    here = tmp_path_factory.mktemp("pages")
    bare = golden()
    runs = {
        "full": (result(baseline=result(energy=False)), tensors),
        "golden": (bare, tensors),
        "wrong": (wrong(), tensors),
        "trained": (trained(), tensors),
        "bare": (result(energy=False, memory=None), None),
    }
    made = {}
    for name, (what, codes) in runs.items():
        made[name] = here / f"{name}.html"
        write_report(read_result(record(what, here / name, codes)), made[name])
    return made


def shown(page):
    """The text of the page, with ordinary spaces."""
    return page.inner_text("body").replace("\N{NO-BREAK SPACE}", " ")


def test_a_page_is_one_file_of_reasonable_size(pages, opened):
    assert pages["full"].stat().st_size < 2_000_000
    assert "a &lt;paper&gt;" in pages["full"].read_text()  # what a data file says is text, not markup
    with opened(pages["full"]) as page:
        assert not page.locator("[src], link[href]:not([href^='data:'])").count()


def test_charts_are_drawn(pages, opened):
    with opened(pages["full"]) as page:
        charts = page.locator(".chart")
        names = charts.evaluate_all("charts => charts.map(chart => chart.id)")
        expected = ["cycles", "timeline", "waits", "roofline", "energy", "energy-kernels", "formats", "memory"]
        assert list(dict.fromkeys(name.rpartition("-")[0] for name in names)) == expected
        marks = charts.evaluate_all(
            "charts => charts.map(chart => chart.querySelectorAll('svg .mark-rect path, svg .mark-symbol path').length)"
        )
        assert min(marks) > 0


def test_the_headline_says_what_the_result_does(pages, opened):
    with opened(pages["full"]) as page:
        text = shown(page)
        assert "Exact 3 kernels were compared with the golden model: every bit of every output is equal." in text
        for said in ("12,800", "4,608", "7 nJ", "3.5 to 14 nJ", "2.25", "0.128 ms at an assumed 100 MHz"):
            assert said in text


def column(page, table, title):
    """The texts of a column."""
    titles = table.locator("thead th button").all_inner_texts()
    index = [title_.strip() for title_ in titles].index(title)
    return index, table.locator(f"tbody td:nth-child({index + 1})").all_inner_texts()


def test_a_table_sorts_by_each_column_both_ways(pages, opened):
    with opened(pages["full"]) as page:
        table = page.locator("#kernels table")
        index, before = column(page, table, "cycles")
        assert before == ["300", "90", "12,345"]
        heading = table.locator("thead th").nth(index)
        assert heading.get_attribute("aria-sort") is None
        heading.get_by_role("button").click()
        assert column(page, table, "cycles")[1] == ["12,345", "300", "90"]
        assert heading.get_attribute("aria-sort") == "descending"
        heading.get_by_role("button").press("Enter")
        assert column(page, table, "cycles")[1] == ["90", "300", "12,345"]
        assert heading.get_attribute("aria-sort") == "ascending"

        index, _ = column(page, table, "kernel")
        table.locator("thead th button").nth(index).click()
        names = [kernel.name for kernel in kernels()]
        assert column(page, table, "kernel")[1] == sorted(names)
        assert heading.get_attribute("aria-sort") is None
        assert table.locator("tfoot td").nth(index).inner_text() == "all"

        index, _ = column(page, table, "MACs")
        for _ in range(2):  # unknown comes last, whichever way
            table.locator("thead th button").nth(index).click()
            assert column(page, table, "MACs")[1][-1] == ""


@pytest.mark.parametrize("name", ["full", "wrong", "trained"])
def test_every_table_sorts_by_every_column(pages, opened, name):
    with opened(pages[name]) as page:
        sorts = page.locator("table.sortable thead button").evaluate_all(
            "all => all.map(button => { button.click(); return button.parentElement.getAttribute('aria-sort') })"
        )
        assert set(sorts) == {"ascending", "descending"}


@pytest.mark.parametrize("name", ["full", "wrong", "trained"])
def test_a_page_is_never_wider_than_its_window(pages, opened, name):
    with opened(pages[name], width=320) as page:
        page.locator("details").evaluate_all("all => all.forEach(each => each.open = true)")
        for width in (320, 375, 768, 1400):
            page.set_viewport_size({"width": width, "height": 800})
            page.wait_for_timeout(100)  # charts take a frame to follow
            assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_charts_follow_the_window(pages, opened):
    with opened(pages["full"]) as page:
        chart = page.locator("#waits-0 svg")
        wide = chart.bounding_box()["width"]
        page.set_viewport_size({"width": 400, "height": 800})
        page.wait_for_function(f"document.querySelector('#waits-0 svg').getBoundingClientRect().width < {wide / 2}")


def luminance(colour):
    """Of rgb(r, g, b), from 0 to 255."""
    red, green, blue = (int(part) for part in re.findall(r"\d+", colour)[:3])
    return 0.299 * red + 0.587 * green + 0.114 * blue


@pytest.mark.parametrize("dark", [False, True])
def test_colours_follow_the_theme(pages, opened, dark):
    with opened(pages["full"], dark=dark) as page:
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        ink = page.evaluate("getComputedStyle(document.querySelector('#waits-0 svg .role-axis-label text')).fill")
        assert (luminance(paper) < 60) == dark
        assert abs(luminance(paper) - luminance(ink)) > 100


def test_the_strip_chooses_what_the_timeline_shows(pages, opened):
    with opened(pages["full"]) as page:
        labels = (
            "[...document.querySelectorAll('#timeline-1 .role-axis-label text')].map(text => text.textContent).join()"
        )
        before = page.evaluate(labels)
        strip = page.locator("#timeline-0 svg")
        strip.scroll_into_view_if_needed()
        box = strip.bounding_box()
        middle = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + 2, middle)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] / 10, middle, steps=4)
        page.mouse.up()
        page.wait_for_function(f"{labels} !== {before!r}")


def test_a_mark_tells_its_numbers(pages, opened):
    with opened(pages["full"]) as page:
        page.locator("#waits-0 svg .mark-rect path").first.hover()
        tooltip = page.locator("#tooltip")
        tooltip.wait_for(state="visible")
        assert tooltip.inner_text().splitlines() == ["dense1.forward", "busy", "64 cycles"]


def test_paper_has_every_table(pages, opened):
    with opened(pages["full"]) as page:
        pdf = page.pdf(format="A4")
        assert pdf.startswith(b"%PDF")
        assert not page.locator("details[open]").count()  # they are closed again


def test_what_is_not_known_is_left_out(pages, opened):
    with opened(pages["golden"]) as page:
        text = shown(page)
        assert "Without a SoC there are no cycles" in text
        assert not page.locator("#energy, #time, #products, #memory").count()
        assert page.locator("#kernels thead button").all_inner_texts() == ["#", "kernel", "exact", "MACs", "shape"]
        known = " ".join(page.locator("dl, td").all_inner_texts())
        assert not re.search(r"\b(None|null|nan|NaN|undefined)\b", known)


def test_a_page_without_tensors_says_so(pages, opened):
    with opened(pages["bare"]) as page:
        assert "The run directory has no tensors.npz: what the tensors held is not known." in shown(page)
        assert not page.locator("#formats table, #energy, #memory").count()


def test_a_mismatch_comes_first(pages, opened):
    with opened(pages["wrong"]) as page:
        text = shown(page)
        assert "Not equal 3 kernels were compared with the golden model; 1 tensor differs." in text
        assert page.locator("section").first.get_attribute("id") == "mismatches"
        row = page.locator("#mismatches tbody td").all_inner_texts()
        assert row[0] == "dense1.forward"
        assert row[-3:] == ["[7, 3]", "1 (0x3f800000)", "nan (0x7fc00000)"]
        assert page.locator("#kernels tr.wrong").count() == 1


def test_a_training_shows_its_curves(pages, opened):
    with opened(pages["trained"]) as page:
        assert page.locator("#curves-0 svg .mark-symbol path").count() >= 29  # one of 30 losses is infinite
        assert page.locator("#curves-1 svg .mark-symbol path").count() == 30
        assert page.locator("#training tbody tr").count() == 30
        assert "These are the tensors of the last step" in shown(page)


def test_the_speedup_is_that_of_the_baseline(pages, opened):
    with opened(pages["full"]) as page:
        assert page.locator("#baseline tfoot td").all_inner_texts() == ["all", "12,800", "12,800", "1.0 ×"]


def test_rounding_errors_are_those_of_the_profile(pages, opened, tensors):
    with opened(pages["full"]) as page:
        table = page.locator("#formats table")
        _, names = column(page, table, "tensor")
        _, errors = column(page, table, "rms error")
        _, zeros = column(page, table, "zeros")
        row = names.index("dense1.output")
        assert re.fullmatch(r"\d+(\.\d+)?\s%", errors[row])
        zero = np.count_nonzero(tensors["dense1.output"] & 0x7F == 0) / tensors["dense1.output"].size
        assert zeros[row].replace("\N{NO-BREAK SPACE}", " ") == f"{100 * zero:.1f} %"
