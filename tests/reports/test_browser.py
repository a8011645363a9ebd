"""The HTML report in a real browser: it fits, at desktop and telephone width, and asks for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.reports.run.html import render_html
from tests.fixtures.chromium import Chromium
from tests.fixtures.reports import RUNS

# Every visible element that sticks out of the window, and every pair of labels in a drawing that meet.
OUTSIDE = """
[...document.querySelectorAll('body *')].filter(e => {
  const r = e.getBoundingClientRect();
  const head = e.closest('thead, caption');
  const hidden = head && getComputedStyle(head).position === 'absolute';
  return r.width && !hidden && (r.right > innerWidth + 0.5 || r.left < -0.5);
}).map(e => e.tagName + ' ' + e.textContent.slice(0, 40))
"""
MEETING = """
[...document.querySelectorAll('svg.plot')].flatMap(drawing => {
  const labels = [...drawing.querySelectorAll('text')]
    .map(t => [t.textContent, t.getBoundingClientRect()])
    .filter(([, r]) => r.width);
  const beside = (a, b) => a.left + 1 < b.right && b.left + 1 < a.right;
  const meet = (a, b) => beside(a, b) && a.top + 3 < b.bottom && b.top + 3 < a.bottom;
  return labels.flatMap(([a, r], i) =>
    labels.slice(i + 1).filter(([, s]) => meet(r, s)).map(([b]) => a + ' / ' + b));
})
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with Chromium() as found:
        yield found


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", RUNS)
def test_report_fits_the_window_and_asks_for_nothing(name: str, browser: Chromium, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(render_html(RUNS[name]()), encoding="utf-8")
    for width, dark in ((1280, False), (1280, True), (390, False), (390, True)):
        browser.open(page, width, dark=dark)
        wide, window = browser.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert window == width
        assert wide <= window
        assert browser.evaluate(OUTSIDE) == []
        assert browser.evaluate(MEETING) == []
        assert browser.requests() == [page.as_uri()]
        assert browser.complaints() == []


@pytest.mark.timeout(120)
def test_dark_and_light_differ_and_print_shows_logs(browser: Chromium, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(render_html(RUNS["ok"]()), encoding="utf-8")
    paper = []
    for dark in (False, True):
        browser.open(page, dark=dark)
        paper.append(browser.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert paper[0] != paper[1]
    browser.call("Emulation.setEmulatedMedia", media="print")
    assert browser.evaluate("document.querySelector('details pre').getBoundingClientRect().height") > 20
    assert browser.call("Page.printToPDF")["data"]
    browser.call("Emulation.setEmulatedMedia", media="")


@pytest.mark.timeout(120)
def test_hostile_output_does_not_run(browser: Chromium, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(render_html(RUNS["crashed"]()), encoding="utf-8")
    browser.open(page)
    assert browser.evaluate("document.scripts.length") == 0
    assert browser.evaluate("document.images.length") == 0
    assert "<script>alert('owned')</script>" in browser.evaluate("document.body.innerText")
