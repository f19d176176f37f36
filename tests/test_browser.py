"""The dashboard and the report in a real browser: what a person sees after clicking there."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Background, Tuner

sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install --group dev")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync"
WAIT = 30_000  # milliseconds, for anything to appear

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")


@pytest.fixture
def page() -> Iterator[Any]:
    """An empty page. Errors of its scripts are errors of the test."""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET.split())
        opened = browser.new_page(viewport={"width": 1280, "height": 1000})
        opened.set_default_timeout(WAIT)
        failures: list[str] = []
        opened.on("pageerror", lambda error: failures.append(str(error)))
        yield opened
        browser.close()
    assert not failures


@pytest.fixture
def searched(tuner: Tuner, small_study: Path) -> None:
    tuner("search", "small.yaml", "--trials", "3", "--workers", "1", "--device", "cpu", "--publish")


def visible(page: Any, text: str | re.Pattern[str]) -> None:
    sync_api.expect(page.get_by_text(text).first).to_be_visible(timeout=WAIT)


def test_the_dashboard_shows_study_trial_note_and_artifact(page: Any, searched: None, background: Callable[..., Background]) -> None:
    server = background("dashboard", "--port", "0", "--no-browser")
    address = server.wait_for(r"http://127\.0\.0\.1:\d+/")[0]
    page.goto(address)
    page.get_by_text("small").first.click()
    for heading in ("Hyperparameter Importance", "Intermediate values"):
        visible(page, heading)
    for title in ("Validation accuracy per epoch, all trials", "Accuracy against size", "Accuracy against training time"):
        visible(page, title)

    page.locator("a[href$='/note']").click()
    visible(page, "The value of a trial is its accuracy on a validation part")
    visible(page, re.compile("tuner"))

    page.locator("a[href$='/trials']").click()
    page.get_by_text("Trial 0", exact=True).first.click()
    visible(page, "Trial 0 (trial_id=1)")
    visible(page, re.compile("trained to the end"))
    visible(page, re.compile("Its configuration file"))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "a trial's attributes make the page too wide"
    for name in ("learning-curve.png", "confusion-matrix.png", "config.yaml", "weights.pt"):
        visible(page, name)
    picture = page.locator("img[src*='/artifacts/']").first
    picture.scroll_into_view_if_needed()
    page.wait_for_function("image => image.complete && image.naturalWidth > 600", arg=picture.element_handle())
    file = address.rstrip("/") + str(picture.get_attribute("src"))
    answered = page.request.get(file)
    assert answered.status == 200 and answered.headers["content-type"] == "image/png"
    with page.expect_download() as kept:
        page.evaluate("file => location.assign(file)", file)
    assert Path(kept.value.path()).read_bytes() == answered.body()


def test_the_dashboard_cannot_be_written_to_from_its_own_page(page: Any, searched: None, background: Callable[..., Background]) -> None:
    address = background("dashboard", "--port", "0", "--no-browser").wait_for(r"http://127\.0\.0\.1:\d+/")[0]
    page.goto(address)
    visible(page, "small")
    status = "async ([path, method]) => (await fetch(path, {method})).status"
    assert page.evaluate(status, ["/api/studies/1", "DELETE"]) == 405
    assert page.evaluate(status, ["/api/studies/1", "GET"]) == 200


def test_the_token_opens_the_dashboard_and_stays_with_the_browser(page: Any, searched: None, background: Callable[..., Background]) -> None:
    address = background("dashboard", "--port", "0", "--no-browser", "--token", "secret").wait_for(r"http://127\.0\.0\.1:\d+/")[0]
    assert page.goto(f"{address}dashboard").status == 401
    visible(page, "open this page with ?token=TOKEN")
    page.goto(f"{address}dashboard?token=secret")
    visible(page, "small")
    assert "secret" not in page.url
    page.goto(f"{address}dashboard/studies/1")
    visible(page, "Hyperparameter Importance")


def test_the_report_opens_from_the_disk_and_asks_the_network_for_nothing(page: Any, searched: None, tuner: Tuner, tmp_path: Path) -> None:
    tuner("report")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "report.html").as_uri())
    sync_api.expect(page.get_by_role("heading", name="Study small")).to_be_visible()
    page.get_by_role("link", name="Where the best trial errs").click()
    sync_api.expect(page.get_by_role("heading", name="Where the best trial errs")).to_be_in_viewport()
    images = page.locator("figure img")
    assert images.count() >= 6
    sizes = page.evaluate("[...document.images].map(i => [i.complete, i.naturalWidth, i.getBoundingClientRect().width])")
    assert all(complete and natural >= 600 and 300 < drawn <= 740 for complete, natural, drawn in sizes), sizes
    visible(page, re.compile(r"of the 40 validation images"))
    page.set_viewport_size({"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 400, "a narrow window needs no scrolling sideways"
    assert {url.split(":")[0] for url in asked} <= {"file", "data"}, asked
