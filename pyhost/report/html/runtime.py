"""Vega for a page that has no network: its scripts, and charts compiled to what they draw."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert

from pyhost.cosim.cache import cached, content_key

__all__ = ["compile_chart", "vega_script"]

_SNIPPET = "window.vegaEmbed = vegaEmbed;"


def vega_script(progress: Callable[[str], None]) -> str:
    """JavaScript that defines `vegaEmbed`. It takes seconds to bundle, so it is cached by the version of Vega."""
    key = content_key("vega", version("vl-convert-python"), _SNIPPET)

    def build(directory: Path) -> None:
        progress("bundling Vega for the page, once")
        (directory / "vega.js").write_text(vl_convert.javascript_bundle(_SNIPPET), encoding="utf-8")

    script = (cached("vega", key, build, progress) / "vega.js").read_text(encoding="utf-8")
    return script.replace("</script", "<\\/script")


def compile_chart(chart: alt.TopLevelMixin) -> dict[str, Any]:
    """The Vega specification of a chart."""
    specification: dict[str, Any] = vl_convert.vegalite_to_vega(chart.to_dict(validate=True))
    return specification
