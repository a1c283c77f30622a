"""Pages in a browser: the Chromium that is installed, without a network."""

import shutil
from contextlib import contextmanager

import pytest


@pytest.fixture(scope="session")
def chromium():
    """A running browser; tests that need one are skipped where there is none."""
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("chromium is not installed: apt install chromium")
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install playwright"
    )
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium):
    """`with opened(path, width=..., dark=...) as page`: fails where the page says a word or asks for anything."""

    @contextmanager
    def open_(path, *, width=1100, dark=False):
        context = chromium.new_context(
            viewport={"width": width, "height": 800}, color_scheme="dark" if dark else "light"
        )
        said, asked = [], []

        def answer(route):
            url = route.request.url
            if url == path.as_uri() or url.startswith("data:"):
                route.continue_()
            else:
                asked.append(url)
                route.abort()

        context.route("**/*", answer)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(path.as_uri())
        page.wait_for_function("[...document.querySelectorAll('.chart')].every(chart => chart.querySelector('svg'))")
        yield page
        context.close()
        assert said == []
        assert asked == []

    return open_
