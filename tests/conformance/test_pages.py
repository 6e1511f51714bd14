"""Pages, judged by others: Chromium, which lays them out, and axe, which looks for barriers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright
from unit.test_excerpt import document, several
from unit.test_html import every_block, explained, worked

from chainrule.explanation.documents.blocks import Document
from chainrule.explanation.documents.html import html

PAGES: dict[str, Callable[[], Document]] = {
    "seed-en": lambda: explained("seed", "en"),
    "seed-zh": lambda: explained("seed", "zh"),
    "flowers": lambda: explained("flowers", "en"),
    "article": lambda: worked("seed", "en"),
    "excerpt": lambda: document(several(), "zh"),
    "every block": lambda: Document("title", every_block(words="a picture"), "en"),
}
PHONE, DESK = 375, 1200
VIEWS = ((PHONE, "light"), (DESK, "dark"), (PHONE, "dark"), (DESK, "light"))

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
RUN_AXE = """
// What stands inside of a formula is its own; to look at each digit takes long.
axe.run({exclude: [["math > *"]]}, {resultTypes: ["violations"]}).then(
  found => found.violations.map(item => [item.id, item.nodes.map(node => node.html)])
)
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, which CI installs, or the one that Playwright brought."""
    with sync_playwright() as playwright:
        program = shutil.which("chromium") or shutil.which("google-chrome")
        try:
            started = playwright.chromium.launch(executable_path=program)
        except Error:
            assert not os.environ.get("CI"), "CI needs Chromium"
            pytest.skip("no Chromium here: apt-get install chromium, or playwright install")
        yield started
        started.close()


@pytest.fixture(scope="module", params=list(PAGES))
def opened(
    request: pytest.FixtureRequest, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Page, list[str]]]:
    """A page, and what it asked for and complained of while it was loaded."""
    file = tmp_path_factory.mktemp("pages") / "page.html"
    file.write_text(html(PAGES[request.param]()), encoding="utf-8")
    page, noted = browser.new_page(), []
    page.on("console", lambda message: noted.append(message.text))
    page.on("pageerror", lambda error: noted.append(str(error)))
    page.on("request", lambda asked: noted.append(asked.url))
    page.goto(file.as_uri())
    page.evaluate("document.fonts.ready")
    yield page, [item for item in noted if item != file.as_uri() and not item.startswith("data:")]
    page.close()


def _viewed(page: Page, width: int, scheme: Any) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)


def test_nothing_is_loaded_and_nothing_complained_of(opened: tuple[Page, list[str]]) -> None:
    assert opened[1] == []


def test_axe_finds_no_barrier(opened: tuple[Page, list[str]]) -> None:
    """On the page that has everything in each view, on the long ones in two: axe takes its time."""
    page, _ = opened
    page.evaluate(AXE)
    long = page.locator(".equation").count() > 20
    for width, scheme in VIEWS[: 2 if long else None]:
        _viewed(page, width, scheme)
        assert page.evaluate(RUN_AXE) == [], (width, scheme)


@pytest.mark.parametrize("width", [320, PHONE, 768, DESK])
def test_nothing_is_wider_than_the_page(opened: tuple[Page, list[str]], width: int) -> None:
    """Only boxes that the keyboard reaches are scrolled sideways."""
    page, _ = opened
    _viewed(page, width, "light")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    hidden = page.evaluate(
        """[...document.querySelectorAll("main :not(math *, svg *, .unseen)")]
        .filter(item => item.scrollWidth > item.clientWidth && item.clientWidth > 0)
        .filter(item => !item.closest("[tabindex='0']"))
        .map(item => item.outerHTML.slice(0, 300))"""
    )
    assert hidden == []


def test_fractions_are_laid_out_in_the_font_of_the_page(opened: tuple[Page, list[str]]) -> None:
    page, _ = opened
    _viewed(page, DESK, "light")
    over, under, bar = page.evaluate(
        """(() => {
          const fraction = document.querySelector(".equation mfrac");
          const parts = [...fraction.children, fraction];
          return parts.map(item => item.getBoundingClientRect().toJSON());
        })()"""
    )
    assert over["bottom"] <= under["top"]
    assert bar["left"] <= over["left"] < over["right"] <= bar["right"]
    devtools = page.context.new_cdp_session(page)
    devtools.send("DOM.enable")
    devtools.send("CSS.enable")
    root = devtools.send("DOM.getDocument")["root"]["nodeId"]
    for selector in (".equation mfrac mi", ".equation mn"):
        node = devtools.send("DOM.querySelector", {"nodeId": root, "selector": selector})
        used = devtools.send("CSS.getPlatformFontsForNode", {"nodeId": node["nodeId"]})["fonts"]
        assert [(font["familyName"], font["isCustomFont"]) for font in used] == [
            ("Chainrule Math", True)
        ]


def test_a_link_leads_to_its_parameter(opened: tuple[Page, list[str]]) -> None:
    page, _ = opened
    _viewed(page, DESK, "light")
    page.locator("nav a").last.click()
    reached = page.evaluate("document.querySelector(':target').getBoundingClientRect().top")
    assert -1 <= reached < 800


def test_on_paper_nothing_is_cut_off(opened: tuple[Page, list[str]]) -> None:
    page, _ = opened
    page.set_viewport_size({"width": 690, "height": 1000})
    page.emulate_media(media="print")
    assert page.locator("nav:visible, .skip:visible, .here:visible").count() == 0
    boxes = page.evaluate(
        """[...document.querySelectorAll(".equation, .table, figure")]
        .map(item => getComputedStyle(item).overflowX)"""
    )
    assert set(boxes) == {"visible"}
    page.emulate_media(media="screen")
