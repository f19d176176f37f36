"""What is changed in optuna-dashboard's answers: its page's style, and what it is told of a study. What is stored stays as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from .door import Application, Environ, Start

# As it comes, the page is as wide as its longest line: a trial's attributes and notes, and on a phone everything. There what
# stands side by side goes one below the other.
STYLE = b"""<style>
main p.MuiTypography-body1 { white-space: normal; overflow-wrap: anywhere; }
main, main .MuiBox-root, main .MuiCardContent-root { min-width: 0; }
main pre, main pre > div, main .MuiTableContainer-root { overflow-x: auto; }
main .MuiBox-root:has(> .MuiList-root) { min-width: 200px; }
main .MuiCardContent-root img { max-width: min(100%, 720px); }
@media (max-width: 600px) {
  main .MuiGrid-root[class*=MuiGrid-grid-xs] { flex-basis: 100%; max-width: 100%; }
  main .MuiCard-root { max-width: 100%; }
  main .MuiCardContent-root > .MuiBox-root, main .MuiFormControl-root { flex-wrap: wrap; max-width: 100%; }
  main .MuiBox-root:has(> .MuiBox-root > .MuiList-root) { flex-direction: column; }
  main .MuiBox-root:has(> .MuiList-root) { flex: none; height: 30vh; max-width: none; width: 100%; }
  main code { overflow-wrap: anywhere; }
}
</style>"""
CODES = {"uid", "config", "definition", "database", "copy", "added"}  # attributes of a study that only code reads
COMPARISON = "comparison"  # the attribute that says what a comparison compares
STUDIES = re.compile(r"/api/studies(/\d+)?$")


def adapt(application: Application) -> Application:
    """The application, in WSGI, with `STYLE` in its pages and its studies as people read them."""

    def adapted(environ: Environ, start: Start) -> Iterable[bytes]:
        begun: list[tuple[str, list[tuple[str, str]]]] = []
        body = application(environ, lambda status, headers, *_: begun.append((status, headers)))
        status, headers = begun[-1]
        kind = next((value for name, value in headers if name.lower() == "content-type"), "")
        page = kind.startswith("text/html")
        study = kind.startswith("application/json") and STUDIES.match(str(environ.get("PATH_INFO", "")))
        if environ["REQUEST_METHOD"] != "GET" or not status.startswith("200") or not (page or study):
            start(status, headers)
            return body
        whole = b"".join(body)
        getattr(body, "close", lambda: None)()
        made = whole.replace(b"</head>", STYLE + b"</head>", 1) if page else json.dumps(adapt_answer(json.loads(whole))).encode()
        start(status, [*((name, value) for name, value in headers if name.lower() != "content-length"), ("Content-Length", str(len(made)))])
        return [made]

    return adapted


def adapt_answer(said: dict[str, Any]) -> dict[str, Any]:
    """What the dashboard says of one study or of all: without JSON among a study's attributes, number-like choices in their order."""
    for study in (said, *said.get("study_summaries", [])):
        if "user_attrs" in study:
            study["user_attrs"] = _say_plainly(study["user_attrs"])
    spaces = said.get("union_search_space", [])
    known = {each["name"]: marks for each in spaces if (marks := _mark_choices(each["distribution"]))}
    if known:
        for name in ("union_search_space", "intersection_search_space"):
            for dimension in said.get(name, []):
                _put_marks(dimension, known)
        for trial in (*said.get("trials", []), *said.get("best_trials", [])):
            for param in trial["params"]:
                if param["name"] in known:
                    value = param["param_external_value"]
                    param["param_external_value"] = known[param["name"]].get(value, value)
                    _put_marks(param, known)
    return said


def _say_plainly(attributes: list[dict[str, str]]) -> list[dict[str, str]]:
    """A study's attributes, where it is one of ours, without those that only code reads; the study's note says what they say."""
    keys = {each["key"] for each in attributes}
    if COMPARISON in keys:
        return _say_comparison(attributes)
    if not {"uid", "definition"} <= keys:
        return attributes
    said = {each["key"]: each["value"] for each in attributes if each["key"] not in CODES}
    for key, words in (("classes", ", ".join), ("precision", lambda found: f"{found['precision']}: {found['reason']}")):
        try:
            said[key] = words(json.loads(said[key]))
        except (KeyError, ValueError):  # none, or cut short
            said.pop(key, None)
    return [{"key": key, "value": value} for key, value in said.items()]


def _say_comparison(attributes: list[dict[str, str]]) -> list[dict[str, str]]:
    said = {each["key"]: each["value"] for each in attributes}
    try:
        facts = json.loads(said[COMPARISON])
        said |= {name: str(facts[name]) for name in ("data", "images", "classes")}
        said[COMPARISON] = "tuner compare"
    except (KeyError, ValueError):  # another version's, or cut short
        del said[COMPARISON]
    return [{"key": key, "value": value} for key, value in said.items()]


def _put_marks(holder: dict[str, Any], known: Mapping[str, Mapping[str, str]]) -> None:
    marks = known.get(holder["name"], {})
    for choice in holder["distribution"].get("choices", []):
        choice["value"] = marks.get(choice["value"], choice["value"])


def _mark_choices(distribution: Mapping[str, Any]) -> dict[str, str]:
    """Number-like choices with spaces before them, by their text; empty where there is nothing to do.

    The page's plots sort choices as texts: 128 before 16. A space sorts before every digit, so the least number has most of them.
    """
    texts = [str(choice["value"]) for choice in distribution.get("choices", [])]
    try:
        ranked = sorted(texts, key=float)
    except ValueError:
        return {}
    if ranked == sorted(texts):
        return {}
    return {text: " " * (len(ranked) - 1 - rank) + text for rank, text in enumerate(ranked)}
