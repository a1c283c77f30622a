"""The page's charts, from plain rows. Colours are the page's own (CSS variables), so that they follow its theme.

Every chart is a single view whose width the page sets; a row of a bar chart has a fixed height.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt

__all__ = ["area_strip", "bars", "curve", "exponents", "intervals", "roof", "stacks", "strip", "waterfall"]

Row = Mapping[str, Any]

_ROW: Final = 19
"""Pixels of a row of bars."""

_INK, _SOFT, _RULE = "var(--ink)", "var(--soft)", "var(--rule)"


def _data(rows: Sequence[Row]) -> alt.InlineData:
    """Rows without infinities and NaN, which JSON lacks."""

    def plain(value: Any) -> Any:
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return alt.InlineData(values=[{name: plain(value) for name, value in row.items()} for row in rows])


def _finished(chart: alt.Chart | alt.LayerChart | alt.FacetChart, description: str, height: int) -> alt.TopLevelMixin:
    finished: alt.TopLevelMixin = (
        chart.properties(
            width=640,
            height=height,
            background="transparent",
            description=description,
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
            padding={"left": 0, "right": 8, "top": 4, "bottom": 6},
        )
        .configure(font="system-ui, sans-serif")
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=_SOFT,
            titleColor=_SOFT,
            domainColor=_RULE,
            tickColor=_RULE,
            gridColor=_RULE,
            gridOpacity=0.6,
            labelFontSize=11,
            titleFontSize=11,
            titleFontWeight="normal",
            labelLimit=150,
        )
    )
    return finished


def _names(title: str = "name") -> alt.Y:
    """A row a name, in the order of the data."""
    axis = alt.Axis(title=None, ticks=False, domain=False, labelColor=_INK, labelPadding=6)
    return alt.Y(f"{title}:N", sort=None, axis=axis)


def _quantity_axis() -> alt.Axis:
    """Few ticks, written like 0, 500k, 1M, 1.5M."""
    return alt.Axis(labelExpr="format(datum.value, '~s')", tickCount=5, domain=False, ticks=False)


def _tooltips(*fields: str, **titled: str) -> list[alt.Tooltip]:
    """Fields that are texts already, under their own names or others."""
    return [alt.Tooltip(f"{field}:N", title=titled.get(field, field)) for field in (*fields, *titled)]


def _logarithmic_axis(low: float, high: float) -> alt.Axis:
    """Ticks at 1, 2 and 5 of every decade, or at 1 alone where there are many."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if len(decades) <= 4 else (1,)
    values = [step * 10.0**decade for decade in decades for step in steps if low <= step * 10.0**decade <= high]
    return alt.Axis(values=values, format="~r", domain=False, ticks=False)


def _colour(field: str, colours: Mapping[str, str]) -> alt.Color:
    """Colours by the values of `field`; the page has the legend, which wraps where it is narrow."""
    return alt.Color(f"{field}:N", legend=None, scale=alt.Scale(domain=list(colours), range=list(colours.values())))


def bars(rows: Sequence[Row], *, description: str) -> alt.TopLevelMixin:
    """A bar of `value` for each `name`, with `label` at its end; `colour` is one of the page's."""
    base = alt.Chart(_data(rows)).encode(y=_names())
    room = f"{max(row['value'] for row in rows)} * width / max(width - 125, 40)"  # for the label of the longest
    drawn = base.mark_bar(cornerRadiusEnd=2, height={"band": 0.74}).encode(
        x=alt.X("value:Q", axis=None, scale=alt.Scale(domainMax=alt.ExprRef(room))),
        color=alt.Color("colour:N", scale=None),
        tooltip=_tooltips("name", "label"),
    )
    labels = base.mark_text(align="left", dx=6, fontSize=11, color=_INK).encode(x="value:Q", text="label:N")
    return _finished(drawn + labels, description, _ROW * len(rows))


def stacks(
    rows: Sequence[Row], *, parts: Mapping[str, str], title: str, description: str, names: int
) -> alt.TopLevelMixin:
    """For each `name` the `value` of each `part`, side by side. parts: their colours, in order; `names`: rows."""
    chart = (
        alt.Chart(_data(rows))
        .mark_bar(height={"band": 0.74})
        .encode(
            y=_names(),
            x=alt.X("value:Q", title=title, axis=_quantity_axis(), stack="zero"),
            color=_colour("part", parts),
            order="order:Q",
            tooltip=_tooltips("name", "part", "label"),
        )
    )
    return _finished(chart, description, _ROW * names)


def area_strip(rows: Sequence[Row], *, parts: Mapping[str, str], title: str, description: str) -> alt.TopLevelMixin:
    """One bar of `value` for each `part`, side by side."""
    chart = (
        alt.Chart(_data(rows))
        .mark_bar(height=30)
        .encode(
            x=alt.X("value:Q", title=title, axis=_quantity_axis(), stack="zero"),
            color=_colour("part", parts),
            order="order:Q",
            tooltip=_tooltips("part", "label"),
        )
    )
    return _finished(chart, description, 34)


def intervals(rows: Sequence[Row], *, title: str, description: str) -> alt.TopLevelMixin:
    """A bar of `value` for each `name`, and a line from `low` to `high` on it."""
    base = alt.Chart(_data(rows)).encode(y=_names(), tooltip=_tooltips("name", "estimate", "interval"))
    drawn = base.mark_bar(cornerRadiusEnd=2, height={"band": 0.74}).encode(
        x=alt.X("value:Q", title=title, axis=_quantity_axis()), color=alt.Color("colour:N", scale=None)
    )
    width = base.mark_rule(color=_INK, strokeWidth=1.4).encode(x="low:Q", x2="high:Q")
    ends = base.mark_tick(color=_INK, thickness=1.4, height=7)
    return _finished(
        drawn + width + ends.encode(x="low:Q") + ends.encode(x="high:Q"), description, (_ROW + 2) * len(rows)
    )


def waterfall(
    kernels: Sequence[Row], jobs: Sequence[Row], *, end: int, rows: int, parts: Mapping[str, str], description: str
) -> alt.TopLevelMixin:
    """Each kernel from `start` to `end`, and on it the accelerator's jobs. The page moves the window `from`..`to`."""
    window = alt.Scale(
        domainMin=alt.ExprRef("from"),
        domainMax=alt.ExprRef("to"),
        nice=False,
        zero=False,
    )
    colour = _colour("part", parts)
    told = _tooltips("name", "part", "label")

    def drawn(data: Sequence[Row], **mark: Any) -> alt.Chart:
        made: alt.Chart = (
            alt.Chart(_data(data))
            .mark_bar(clip=True, minBandSize=1, **mark)
            .encode(
                y=_names(),
                x=alt.X("start:Q", title="cycles from the start", scale=window, axis=_quantity_axis()),
                x2="end:Q",
                color=colour,
                stroke=alt.Stroke("part:N", legend=None, scale=colour["scale"]),
                tooltip=told,
            )
        )
        return made

    chart = alt.layer(
        drawn(kernels, height={"band": 0.74}, strokeWidth=1), drawn(jobs, height={"band": 0.3}, strokeWidth=0.5)
    ).add_params(alt.param("from", value=0), alt.param("to", value=end))
    return _finished(chart, description, _ROW * rows)


def strip(kernels: Sequence[Row], *, parts: Mapping[str, str], description: str) -> alt.TopLevelMixin:
    """The same on one line, on which a stretch can be chosen: the signal `brush`."""
    chart = (
        alt.Chart(_data(kernels))
        .mark_bar(height=22)
        .encode(
            x=alt.X("start:Q", title=None, axis=None, scale=alt.Scale(nice=False)),
            x2="end:Q",
            color=_colour("part", parts),
        )
        .add_params(
            alt.selection_interval(
                "brush",
                encodings=["x"],
                mark=alt.BrushConfig(fill=_INK, fillOpacity=0.12, stroke=_INK, strokeOpacity=0.7),
            )
        )
    )
    return _finished(chart, description, 24)


def roof(
    roofs: Sequence[Row], points: Sequence[Row], *, bottom: float, colours: Mapping[str, str], description: str
) -> alt.TopLevelMixin:
    """Points by `intensity` and `performance` under the line of `roofs`, both on logarithmic axes; `label` is short."""
    intensities = [row["intensity"] for row in roofs]
    top = 1.7 * max(row["performance"] for row in roofs)
    x = alt.X(
        "intensity:Q",
        title="multiply-adds a byte of main memory traffic",
        scale=alt.Scale(type="log", domain=[min(intensities), max(intensities)], nice=False),
        axis=_logarithmic_axis(min(intensities), max(intensities)),
    )
    y = alt.Y(
        "performance:Q",
        title="multiply-adds a cycle",
        scale=alt.Scale(type="log", domain=[bottom, top], nice=False),
        axis=_logarithmic_axis(bottom, top),
    )
    line = alt.Chart(_data(roofs)).mark_line(color=_SOFT, strokeWidth=2).encode(x=x, y=y)
    first, *_, last = roofs
    port = alt.Chart(_data([first])).mark_text(align="left", dx=18, dy=9, fontSize=11, color=_SOFT)
    array = alt.Chart(_data([last])).mark_text(align="right", dy=-9, fontSize=11, color=_SOFT)
    roof_names = [each.encode(x=x, y=y, text="label:N") for each in (port, array)]
    base = alt.Chart(_data(points)).encode(x=x, y=y, tooltip=_tooltips("name", "at"))
    dots = base.mark_point(size=70, filled=True, opacity=1).encode(color=_colour("part", colours))
    labels = [
        alt.Chart(_data(points[first::2]))
        .mark_text(align="left", dx=dx, dy=dy, fontSize=11, color=_INK)
        .encode(x=x, y=y, text="label:N")
        for first, dx, dy in ((0, 8, 5), (1, -4, 14))  # neighbours to the right and below, so that fewer collide
        if points[first::2]
    ]
    return _finished(alt.layer(line, *roof_names, dots, *labels), description, 320)


def exponents(
    rows: Sequence[Row], spans: Sequence[Row], *, first: int, last: int, colours: Mapping[str, str], description: str
) -> alt.TopLevelMixin:
    """For each `name`, how much of it has which exponent, darker for more; behind it the range of its format."""
    scale = alt.Scale(domain=[first, last + 1], nice=False, zero=False)
    x = alt.X("low:Q", title="exponent: floor(log2 |value|)", scale=scale, axis=alt.Axis(tickMinStep=1, domain=False))
    colour = _colour("format", colours)
    behind = (
        alt.Chart(_data(spans))
        .mark_bar(clip=True, height={"band": 0.86}, fillOpacity=0.13)
        .encode(y=_names(), x=x, x2="high:Q", color=colour)
    )
    cells = (
        alt.Chart(_data(rows))
        .mark_bar(clip=True, height={"band": 0.7})
        .encode(
            y=_names(),
            x=x,
            x2="high:Q",
            color=colour,
            opacity=alt.Opacity(
                "share:Q", legend=None, scale=alt.Scale(type="sqrt", domain=[0, 0.4], range=[0.3, 1], clamp=True)
            ),
            tooltip=_tooltips("name", "format", "exponent", "label"),
        )
    )
    return _finished(behind + cells, description, 17 * len(spans))


def curve(rows: Sequence[Row], *, title: str, axis_format: str, zero: bool, description: str) -> alt.TopLevelMixin:
    """`value` by `step`; steps that are not equal to the golden model stand out."""
    base = alt.Chart(_data(rows)).encode(
        x=alt.X("step:Q", title="step", axis=alt.Axis(tickMinStep=1, domain=False, grid=False)),
        y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=zero), axis=alt.Axis(format=axis_format, domain=False)),
        tooltip=_tooltips("step", "label"),
    )
    line = base.mark_line(color="var(--c1)", strokeWidth=2)
    dots = base.mark_point(filled=True, size=26, color="var(--c1)", opacity=1)
    layers: list[alt.Chart] = [line, dots]
    if any(row["wrong"] for row in rows):
        wrong = base.transform_filter("datum.wrong")
        layers.append(wrong.mark_point(filled=True, size=110, shape="cross", color="var(--bad)"))
    return _finished(alt.layer(*layers), description, 220)
