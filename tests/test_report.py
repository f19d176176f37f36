"""The report: what it says of studies made up for it, of a real one, and that it is safe to open."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from optuna.trial import TrialState
from PIL import Image

from tests import fabricated
from tests.conftest import Tuner
from tuner.config.study_files import find_shipped_folder
from tuner.errors import NothingToShow
from tuner.report.blocks import Fold, Heading, Paragraph, Picture, Report, Table
from tuner.report.html import to_html
from tuner.report.markdown import to_markdown
from tuner.report.page import make_report
from tuner.study.storage import Storage

SPACE = {
    "model": "mynet",
    "pruner": "median",
    "space": {"lr": {"low": 1e-4, "high": 1e-1, "log": True}, "batch_size": [4, 8, 16], "epochs": {"low": 1, "high": 6}},
}


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Storage]:
    opened = Storage(f"sqlite:///{tmp_path}/study.db", make=True)
    yield opened
    opened.close()


def texts(made: Report) -> str:
    return "\n".join(f"{block.lead} {block.text}".strip() for block in made.walk() if isinstance(block, Paragraph))


def pictures(made: Report) -> dict[str, bytes]:
    return {block.name: block.png for block in made.walk() if isinstance(block, Picture)}


def test_the_journal_tells_each_attempt_against_the_best_before_it(sqlite: Storage) -> None:
    study = fabricated.study(sqlite, SPACE)
    first = {"lr": 0.001, "batch_size": 4, "epochs": 2}
    fabricated.add(
        study,
        [
            fabricated.trial(study, first, [0.5, 0.7], number=0),
            fabricated.trial(study, first | {"epochs": 4}, [0.5, 0.7, 0.75, 0.8], number=1),
            fabricated.trial(study, first | {"epochs": 4, "lr": 0.01}, [0.4, 0.41], state=TrialState.PRUNED, number=2),
            fabricated.trial(study, first | {"batch_size": 16}, [], state=TrialState.FAIL, reason="RuntimeError: it broke", number=3),
            fabricated.trial(study, first | {"epochs": 3}, [0.4, 0.5, 0.78], number=4),
            fabricated.trial(study, first | {"lr": 0.1}, [], state=TrialState.PRUNED, reason="diverged: training loss is nan", number=5),
        ],
    )
    said = texts(make_report(study))
    assert "Trial 0. MyNet was trained with learning rate 0.001, batch size 4 and two epochs. It reached 70.00 %" in said
    assert "Trial 1. Against the best so far, trial 0, it changed the epochs from 2 to 4. It reached 80.00 %, 10.00 points more" in said
    assert "Trial 2. Against the best so far, trial 1, it changed the learning rate from 0.001 to 0.01. It was pruned after epoch 2" in said
    assert "it changed the batch size from 4 to 16 and the epochs from 4 to 2. It failed: RuntimeError: it broke." in said
    assert "It reached 78.00 %, 2.00 points less, so trial 1 stayed the best." in said
    assert "It ended in its first epoch: diverged: training loss is nan." in said
    assert "Six trials ended: 3 trained to the end, 2 pruned and 1 failed." in said
    assert "Importances are left out: they need 10 trials" in said
    assert "the weights of trial 1 are not kept here" in said and "`tuner train config.yaml`" in said


def test_every_picture_is_a_png_of_some_size_with_something_on_it(sqlite: Storage) -> None:
    study = fabricated.study(sqlite, SPACE)
    rows = [
        fabricated.trial(
            study,
            {"lr": 10 ** -(1 + n % 3), "batch_size": (4, 8, 16)[n % 3], "epochs": 1 + n % 5},
            [0.5 + 0.01 * n] * (1 + n % 5),
            state=TrialState.PRUNED if n % 4 == 3 else TrialState.COMPLETE,
            number=n,
            parameters=1000 * (n + 1),
            seconds=1.0 + n,
        )
        for n in range(16)
    ]
    fabricated.add(study, rows)
    made = pictures(make_report(study))
    wanted = {"course", "loss", "accuracy", "learning-curves", "parameters", "seconds", "importances", "parallel-coordinates", "slices"}
    assert made.keys() == wanted
    for name, png in made.items():
        image = Image.open(io.BytesIO(png)).convert("RGB")
        assert image.width >= 600 and image.height >= 300, name
        assert len(image.getcolors(image.width * image.height) or []) > 50, f"{name} is all but empty"


def test_a_long_search_tells_its_improvements_and_lists_the_others(sqlite: Storage) -> None:
    study = fabricated.study(sqlite, SPACE, trials=200)
    values = {"lr": 0.001, "batch_size": 4, "epochs": 1}
    accuracies = [0.5 + 0.001 * n if n % 5 == 0 else 0.4 for n in range(200)]
    fabricated.add(study, [fabricated.trial(study, values, [a], number=n) for n, a in enumerate(accuracies)])
    made = make_report(study)
    told = [block for block in made.blocks if isinstance(block, Paragraph) and block.lead]
    assert "was improved 39 times in 200 attempts. Here are the first attempt and the first 3 and the last 12 improvements" in texts(made)
    assert [block.lead for block in told][:5] == ["Trial 0.", "Trial 5.", "Trial 10.", "Trial 15.", "Trial 140."]
    [table] = [block for block in made.walk() if isinstance(block, Table) and block.headings[0] == "Trial"]
    assert len(table.rows) == 60


def test_the_journal_study_has_report_as_figures_beside_and_says_which_is_which(sqlite: Storage) -> None:
    plain = yaml.safe_load((find_shipped_folder() / "journal.yaml").read_text())
    study = fabricated.study(sqlite, plain, name="journal")
    rows = plain["start"][:8]
    trials = [fabricated.trial(study, row, [0.1, 0.7 + index / 100], start=index, number=index) for index, row in enumerate(rows)]
    fabricated.add(study, trials)
    made = make_report(study)
    [table] = [block for block in made.blocks if isinstance(block, Table) and "Report A (test)" in block.headings]
    assert table.headings[2:] == ("Report A (test)", "Measured (validation)")
    assert [row[2] for row in table.rows] == [f"{a} %" for a in (74, 76, 82, 75, 83, 83, 81, 84, 87)]
    assert [row[3] for row in table.rows] == [f"{70 + index}.00 %" for index in range(8)] + ["not finished"]
    assert "10,000 test images" in texts(made) and "accuracies on the validation part" in texts(made)
    digits = fabricated.study(sqlite, plain | {"data": "digits"}, name="elsewhere")
    fabricated.add(digits, [fabricated.trial(digits, rows[0], [0.9], start=0)])
    assert "They cannot be compared here" in texts(make_report(digits))
    other = fabricated.study(sqlite, plain | {"start": plain["start"][:-1]}, name="other")
    fabricated.add(other, [fabricated.trial(other, rows[0], [0.9], start=0)])
    assert "Report A" not in str([block for block in make_report(other).blocks if isinstance(block, Table)])


def test_report_as_rows_are_known_by_what_they_say_not_by_their_place_when_they_were_trained(sqlite: Storage) -> None:
    plain = yaml.safe_load((find_shipped_folder() / "journal.yaml").read_text())
    study = fabricated.study(sqlite, plain, name="journal")
    rows = plain["start"]
    order = [8, 0, 7, 1, 6, 2, 5, 3, 4]  # of the file at that time
    trials = [fabricated.trial(study, rows[row], [0.7 + row / 100], start=at, number=at) for at, row in enumerate(order)]
    fabricated.add(study, trials)
    [table] = [block for block in make_report(study).blocks if isinstance(block, Table) and "Report A (test)" in block.headings]
    assert [row[3] for row in table.rows] == [f"{70 + index}.00 %" for index in range(9)]


def test_many_widths_are_counted_and_one_model_or_parameter_is_no_trouble(sqlite: Storage) -> None:
    widths = {f"a{n}.{branch}": {"low": 0.5, "high": 1.5} for n in (3, 4, 5) for branch in ("n1x1", "pool")}
    wide = fabricated.study(sqlite, {"space": {"widths": widths}}, name="wide")
    for number, factor in enumerate((0.5, 1.0)):
        values = {f"widths.{pattern}": factor for pattern in widths}
        fabricated.add(wide, [fabricated.trial(wide, values, [0.5 + 0.1 * number], number=number)])
    assert "Against the best so far, trial 0, it changed 6 widths. It reached 60.00 %" in texts(make_report(wide))
    alone = fabricated.study(sqlite, {"space": {"lr": [0.1, 0.01]}}, name="alone")
    fabricated.add(alone, [fabricated.trial(alone, {"lr": 0.1}, [0.5])])
    made = make_report(alone)
    assert "Only one hyper-parameter was searched" in texts(made)
    assert "parallel-coordinates" not in pictures(made) and "learning-curves" not in pictures(made)


def test_without_a_complete_trial_there_is_nothing_to_show(sqlite: Storage) -> None:
    study = fabricated.study(sqlite, SPACE)
    values = {"lr": 0.1, "batch_size": 4, "epochs": 1}
    fabricated.add(study, [fabricated.trial(study, values, [0.5], state=TrialState.PRUNED)])
    with pytest.raises(NothingToShow, match="has no COMPLETE trial yet"):
        make_report(study)


class Tags(HTMLParser):
    """The tags of a page, and every address that it names."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]


HOSTILE = "<script>alert(1)</script> | `b` [x](http://a.example) *c*"


def test_html_and_markdown_escape_everything_and_name_nothing_elsewhere() -> None:
    blocks = [
        Paragraph(lead=HOSTILE, text=HOSTILE),
        Table(headings=(HOSTILE, "b"), rows=[(HOSTILE, "1")], right=frozenset({1})),
        Picture(name="p", png=b"png", caption=f'" onload="x {HOSTILE}'),
    ]
    made = Report(title=HOSTILE, subtitle=HOSTILE, blocks=blocks)
    page = to_html(made)
    seen = Tags()
    seen.feed(page)
    assert not seen.tags & {"script", "link", "iframe", "object"}
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in seen.addresses), seen.addresses
    assert "<script" not in page and ' onload="x' not in page
    assert page.count("&lt;script&gt;") >= 6 and "<code>b</code>" in page
    text, files = to_markdown(made, "p q")
    assert "<script>" not in text and "[x](" not in text and r"\<script\>" in text
    assert files == {"p.png": b"png"} and "(p%20q/p.png)" in text
    assert all(line.count(" | ") == 1 for line in text.splitlines() if line.startswith("| "))


def test_a_real_study_makes_one_file_or_markdown_with_pictures(tuner: Tuner, small_study: Path) -> None:
    tuner("search", "small.yaml", "--trials", "3", "--workers", "1", "--device", "cpu")
    assert "wrote report.html" in tuner("report").stderr
    page = Path("report.html").read_text()
    names = re.findall(r'<figure id="([\w-]+)">', page)
    assert {"loss", "accuracy", "learning-curves", "confusion-matrix", "slices"} <= set(names)
    for encoded in re.findall(r'src="data:image/png;base64,([^"]+)"', page):
        Image.open(io.BytesIO(base64.b64decode(encoded))).verify()
    best = json.loads(tuner("best", "--json").stdout)
    assert f"{100 * best['value']:.2f} %" in page and "tuner best small --export config.yaml" in page
    wrong = round((1 - best["value"]) * 40)  # a fifth of the study's 200 images
    assert f"it is wrong on {wrong} of the 40 validation images" in page
    tuner("report", "small", "--out", "r.md")
    text = Path("r.md").read_text()
    for picture in re.findall(r"\]\((r-pictures/[\w-]+\.png)\)", text):
        Image.open(picture).verify()
    assert text.count("](r-pictures/") == len(names)
    assert "--out 'r.pdf' must end in .html or .md" in tuner("report", "--out", "r.pdf", code=2).stderr
    refused = tuner("report", "--out", "report.html/r.html", code=2).stderr
    assert "--out 'report.html/r.html' cannot be written: file exists: give another place" in refused
    tuner("report", "--out", "made/for/it/r.html")
    assert Path("made/for/it/r.html").stat().st_size == Path("report.html").stat().st_size
    assert "no study 'smal'" in tuner("report", "smal", code=2).stderr


def test_the_first_page_answers_before_it_tells_how(sqlite: Storage) -> None:
    start = [{"lr": 0.001, "batch_size": 4, "epochs": 1}, {"lr": 0.01, "batch_size": 4, "epochs": 1}]
    study = fabricated.study(sqlite, SPACE | {"start": start})
    given = [fabricated.trial(study, row, [0.6 + 0.1 * n], start=n, number=n) for n, row in enumerate(start)]
    found = fabricated.trial(study, {"lr": 0.02, "batch_size": 8, "epochs": 2}, [0.5, 0.8], number=2)
    fabricated.add(study, [*given, found])
    assert "is not known here" in texts(make_report(study))
    sqlite.optuna.set_study_user_attr(study.leases.study_id, "val_images", 100)
    made = make_report(study)
    headings = [block.text for block in made.blocks if isinstance(block, Heading)]
    assert headings[:3] == ["In short", "How it was searched", "The journal"]
    page = made.blocks[: next(n for n, block in enumerate(made.blocks) if block == Heading(text=headings[1]))]
    [asked, best, sure, hand, tested, *_] = [block.text for block in page if isinstance(block, Paragraph)]
    assert asked == "Which configuration of MyNet is the most accurate on CIFAR-10?"
    assert best.startswith("Trial 2 is the best: MyNet, here of 1,000 parameters, gets 80.00 % of the validation images right")
    # Wilson's interval of 80 in 100, as tables have it.
    assert "Counted on 100 validation images, that accuracy lies between 71.12 % and 86.66 %" in sure
    assert hand == (
        "By hand against the search: the best of the two configurations given beforehand, trial 1, reached 70.00 %; "
        "the search reached 80.00 % with trial 2, 10.00 points more."
    )
    assert "no trial of this study was tested" in tested
    assert [block.name for block in page if isinstance(block, Picture)] == ["course"]


def test_attempts_in_a_row_that_improved_nothing_are_folded_but_not_steps_by_hand(sqlite: Storage) -> None:
    values = {"lr": 0.001, "batch_size": 4, "epochs": 1}
    study = fabricated.study(sqlite, SPACE | {"start": [values] * 4})
    by_hand = [fabricated.trial(study, values, [0.5], start=n, number=n) for n in range(4)]
    searched = [0.4, 0.45, None, 0.6, 0.3, 0.2]
    rows = [
        fabricated.trial(study, values, [a or 0.1], state=TrialState.COMPLETE if a else TrialState.PRUNED, number=4 + n)
        for n, a in enumerate(searched)
    ]
    fabricated.add(study, [*by_hand, *rows])
    made = make_report(study)
    [fold] = [block for block in made.blocks if isinstance(block, Fold)]
    assert fold.summary == (
        "Trial 4 to trial 6: three attempts (2 trained to the end and 1 pruned) that did not beat trial 0. "
        "The nearest was trial 5 with 45.00 %."
    )
    assert [block.lead for block in fold.blocks if isinstance(block, Paragraph)] == ["Trial 4.", "Trial 5.", "Trial 6."]
    assert "<details>\n<summary>Trial 4 to trial 6:" in to_html(made)
    assert "**Trial 4 to trial 6:" in to_markdown(made, "p")[0] and "**Trial 5.**" in to_markdown(made, "p")[0]


def test_the_journal_study_numbers_its_rows_as_report_a_and_names_mistakes(sqlite: Storage) -> None:
    plain = yaml.safe_load((find_shipped_folder() / "journal.yaml").read_text())
    study = fabricated.study(sqlite, plain, name="journal")
    falling, rising = [0.3, 0.5], [0.7, 0.9, 0.8]
    curves = [[0.2, 0.7], [0.2, 0.72], [0.2, 0.9], falling, rising, [0.9, 0.9], [0.9, 0.901], [0.9, 0.95], [0.9, 0.96]]
    trials = [fabricated.trial(study, row, curves[n], start=n, number=n) for n, row in enumerate(plain["start"])]
    fabricated.add(study, trials)
    sqlite.optuna.set_study_user_attr(study.leases.study_id, "val_images", 5000)
    made = make_report(study)
    told = {block.lead: block.text for block in made.blocks if isinstance(block, Paragraph) and block.lead}
    assert list(told) == [f"Baseline {n + 1} (trial {n})." for n in (0, 1)] + [f"Try {n - 1} (trial {n})." for n in range(2, 9)]
    tries = [text for lead, text in told.items() if lead.startswith("Try")]
    assert "Against the best so far, baseline 2, it changed the epochs from 2 to 4." in tries[0] and "istake" not in tries[0]
    assert "was still falling in the last epoch (1.4700 to 1.0500), so it was stopped too early to be judged." in tries[1]
    assert "the validation loss was lowest in epoch 2 and 100 % higher at the end" in tries[2]
    assert "a difference of 0.10 points on 5,000 validation images may be chance" in tries[4]
    assert "three things were changed at once" in tries[5] and "may be chance" not in tries[5]
    [table] = [block for block in made.blocks if isinstance(block, Table) and "Report A (test)" in block.headings]
    assert [row[0] for row in table.rows] == ["Baseline 1", "Baseline 2", *(f"Try {n}" for n in range(1, 8))]
