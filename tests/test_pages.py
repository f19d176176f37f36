"""The dashboard's pages of a study of 20 trials in a real browser, as wide as a desk's and as narrow as a phone's."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from tests import fabricated
from tests.conftest import Background
from tests.test_browser import CHROMIUM, page, visible  # noqa: F401 - a fixture
from tuner.dashboard.pages import adapt_answer
from tuner.dashboard.publish import publish
from tuner.study.storage import Storage

SPACE = {
    "model": "mynet",
    "pruner": "median",
    "space": {"lr": {"low": 1e-4, "high": 1e-1, "log": True}, "batch_size": [8, 16, 32, 64, 128], "epochs": {"low": 1, "high": 3}},
}
PAGES = ("", "studies/1", "studies/1/analytics", "studies/1/trials?numbers=19", "studies/1/smartSelection", "studies/1/note")
browsed = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")


@pytest.fixture
def address(tmp_path: Path, background: Callable[..., Background]) -> Iterator[str]:
    """Of a dashboard of one study, whose best trial is the last."""
    storage = Storage(None, make=True)
    study = fabricated.study(storage, SPACE)
    for n in range(20):
        values = {"lr": 0.001 * (n + 1), "batch_size": 2 ** (3 + n % 5), "epochs": 1 + n % 3}
        state = TrialState.COMPLETE if n % 4 else TrialState.PRUNED
        fabricated.put(study, fabricated.trial(study, values, [0.3, 0.4 + 0.02 * n], number=n, state=state, reason="below the others"))
    publish(study)
    storage.close()
    yield background("dashboard", "--port", "0", "--no-browser").wait_for(r"http://127\.0\.0\.1:\d+/")[0] + "dashboard/"


def test_a_comparison_is_said_in_words_and_not_in_json() -> None:
    mark = {"data": "folder:val", "images": 4, "classes": 1000, "choices": ["alexnet"]}
    said = adapt_answer({"user_attrs": [{"key": "comparison", "value": json.dumps(mark)}]})["user_attrs"]
    assert {each["key"]: each["value"] for each in said} == {
        "comparison": "tuner compare",
        "data": "folder:val",
        "images": "4",
        "classes": "1000",
    }


@browsed
def test_a_study_s_pages_show_no_json_and_what_matters_first(page: Any, address: str) -> None:  # noqa: F811
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"{address}studies/1")
    visible(page, "Study User Attributes")
    assert not re.search(r'[{\[]"', page.inner_text("main")), "the study's attributes are for people"
    page.goto(f"{address}studies/1/smartSelection")
    visible(page, re.compile(r"1.20 of 20"))
    assert page.evaluate("document.documentElement.scrollHeight") < 3500, "a row a trial"
    assert "{" not in page.inner_text("main")

    page.goto(f"{address}studies/1/analytics")
    visible(page, "Contour")
    ticks = "[...document.querySelectorAll('.js-plotly-plot')].map(p => [...p.querySelectorAll('.xtick')].map(t => t.textContent.trim()))"
    page.wait_for_function(f"{ticks}.filter(t => t.length === 5 && t.includes('128')).length >= 3")
    assert [each for each in page.evaluate(ticks) if "128" in each] == [["8", "16", "32", "64", "128"]] * 3, "slice, contour and rank"

    page.goto(f"{address}studies/1/trials?numbers=19")
    picture = page.locator("main img[alt='learning curve']")
    page.wait_for_function("image => image.complete && image.naturalWidth > 600", arg=picture.element_handle())
    assert picture.bounding_box()["y"] < page.get_by_text("Its configuration file").bounding_box()["y"]


@browsed
def test_on_a_phone_no_page_is_too_wide_and_a_refused_note_says_why(page: Any, address: str) -> None:  # noqa: F811
    page.set_viewport_size({"width": 390, "height": 844})
    for path in PAGES:
        page.goto(f"{address}{path}")
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
    edited = page.context.browser.new_page()  # where the dashboard's own scripts may throw what they have shown
    edited.goto(f"{address}studies/1/note")
    edited.get_by_role("button").filter(has=edited.get_by_test_id("EditIcon")).click()
    edited.get_by_role("textbox").last.fill("mine")
    edited.get_by_role("button", name="Save").click()
    visible(edited, "this dashboard is read-only: start it with --allow-writes")


def test_choices_are_in_order_as_texts_and_texts_stay_as_they_are() -> None:
    def answer(*choices: str) -> dict[str, Any]:
        distribution = {"type": "CategoricalDistribution", "choices": [{"pytype": "", "value": value} for value in choices]}
        trial = {"params": [{"name": "x", "param_external_value": choices[0], "distribution": distribution}]}
        return {"union_search_space": [{"name": "x", "distribution": distribution}], "trials": [trial]}

    def list_choices(said: dict[str, Any]) -> list[str]:
        return [choice["value"] for choice in said["union_search_space"][0]["distribution"]["choices"]]

    for choices in (["8", "16", "128"], ["0.0", "1e-05", "0.0001", "0.0005"], ["-1.0", "2", "10"]):
        said = adapt_answer(answer(*choices))
        assert sorted(list_choices(said)) == list_choices(said) and [each.strip() for each in list_choices(said)] == choices
        assert said["trials"][0]["params"][0]["param_external_value"] == list_choices(said)[0]
    for choices in (["sgd", "adamw"], ["False", "True"], ["1", "2"]):
        assert list_choices(adapt_answer(answer(*choices))) == choices


def test_a_study_s_attributes_are_for_people_and_another_program_s_study_keeps_its_own() -> None:
    ours = {
        "uid": "1",
        "config": "{",
        "definition": "{",
        "classes": '["\\uace0", "b"]',
        "precision": '{"precision": "fp32", "reason": "r"}',
    }
    said = [{"key": key, "value": value} for key, value in (ours | {"mine": "{}"}).items()]
    plain = {each["key"]: each["value"] for each in adapt_answer({"user_attrs": said})["user_attrs"]}
    assert plain == {"classes": "고, b", "precision": "fp32: r", "mine": "{}"}
    assert adapt_answer({"user_attrs": said[1:]})["user_attrs"] == said[1:]
