"""Reports in other languages: nothing is left in English, and pictures are in letters that a font here has."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from optuna.trial import TrialState
from PIL import Image

from tests import fabricated
from tuner.commands.report import report as command
from tuner.report.blocks import Block, Code, Fold, Heading, Paragraph, Picture, Report, Table
from tuner.report.html import to_html
from tuner.report.language import Language
from tuner.report.languages import LANGUAGES
from tuner.report.languages.en import ENGLISH
from tuner.report.languages.ko import KOREAN
from tuner.report.page import make_report
from tuner.report.pictures import names
from tuner.report.pictures.course import draw_course
from tuner.study.storage import Storage
from tuner.study.study import Study
from tuner.study.test_accuracy import TESTS
from tuner.study.trials import list_trials

OTHERS = [language for code, language in LANGUAGES.items() if code != "en"]
PLAIN = {
    "model": ["mynet", "googlenet"],
    "width": 0.5,
    "train_images": 5000,
    "start": [{"lr": 0.001, "batch_size": 4, "epochs": 1}, {"lr": 0.01, "batch_size": 8, "epochs": 3}],
    "space": {
        "lr": {"low": 1e-4, "high": 1e-1, "log": True},
        "batch_size": [4, 8, 16],
        "epochs": {"low": 1, "high": 6},
        "widths": {"*.n1x1": {"low": 0.5, "high": 1.5, "step": 0.25}},
    },
}
REASONS = {
    TrialState.PRUNED: [
        "below the others at epoch 2: 0.5000, where the median of 3 others was 0.6000",
        "paused at epoch 2: 3rd of 9; left there: its chance of a new best was 2 %",
        "diverged: training loss is nan in epoch 3",
        "out of memory: it asked for 3 GB",
    ],
    TrialState.FAIL: ["RuntimeError: it broke", "its worker died 3 times while training it", ""],
}


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Storage]:
    opened = Storage(f"sqlite:///{tmp_path}/study.db", make=True)
    yield opened
    opened.close()


@pytest.fixture
def study(sqlite: Storage) -> Study:
    """Trials that ended in all ways, some given by hand, tested twice; long enough for folds."""
    made = fabricated.study(sqlite, PLAIN)
    rows = [fabricated.trial(made, row, [0.5] * row["epochs"], start=n, number=n) for n, row in enumerate(PLAIN["start"])]  # type: ignore[arg-type]
    for state, reasons in REASONS.items():
        for reason in reasons:
            values = {"model": "mynet", "lr": 0.01, "batch_size": 8, "epochs": 4, "widths.*.n1x1": 1.0}
            rows.append(fabricated.trial(made, values, [0.3, 0.4], state=state, reason=reason, number=len(rows)))
    for n in range(10):
        values = {
            "model": "googlenet",
            "lr": 10 ** -(1 + n % 3),
            "batch_size": (4, 8, 16)[n % 3],
            "epochs": 1 + n % 5,
            "widths.*.n1x1": 1.0,
        }
        rows.append(fabricated.trial(made, values, [0.4, 0.45 + 0.01 * n], number=len(rows), parameters=1000 * (n + 1), seconds=1.0 + n))
    fabricated.add(made, rows)
    look = {"day": "2026-11-05", "trial": 1, "accuracy": 0.5, "images": 10000, "by": "train"}
    sqlite.optuna.set_study_user_attr(made.leases.study_id, TESTS, [look, look | {"all_data": True}])
    return made


@pytest.mark.parametrize("language", OTHERS, ids=lambda language: language.code)
def test_a_language_says_all_that_english_says_with_the_same_values(language: Language) -> None:
    assert language.texts.keys() == ENGLISH.texts.keys() and language.nouns.keys() == ENGLISH.nouns.keys()
    for key, text in language.texts.items():
        wanted, has = ({name for _, name, _, _ in Formatter().parse(each) if name} for each in (ENGLISH.texts[key], text))
        told_otherwise = has - wanted if key in SAID_ANEW else set()
        assert has - told_otherwise <= wanted, f"{key}: {has - wanted} are not given"


# English repeats these as they are stored; other languages say them anew, from the figures.
SAID_ANEW = {"left_place", "left_chance", "standing_alone", "standing_median", "audited", "audited_front"}


def test_the_command_offers_each_language() -> None:
    [option] = [each for each in command.params if each.name == "lang"]
    assert list(option.type.choices) == list(LANGUAGES)  # type: ignore[attr-defined]


def list_texts(blocks: Iterator[Block]) -> Iterator[str]:
    for block in blocks:
        if isinstance(block, (Heading, Paragraph)):
            yield f"{getattr(block, 'lead', '')} {block.text}"
        elif isinstance(block, Table):
            yield from [*block.headings, *(cell for row in block.rows for cell in row)]
        elif isinstance(block, Picture):
            yield block.caption
        elif isinstance(block, Fold):
            yield block.summary
        elif isinstance(block, Code):
            yield from re.findall("#(.*)", block.text)


def find_english(made: Report) -> list[str]:
    """English words that are no name; what stands between backquotes is a command or an error."""
    names_of_others = (
        r"(?i:mynet|googlenet)|Noto Sans CJK KR|tuner|trial|cpu|x86_64|"
        r"Wilson|sgd|constant|none|median|NaN|PED-ANOVA|made"
    )
    found = []
    for text in [made.title, made.subtitle, *list_texts(made.walk())]:
        left = re.sub(rf"`[^`]*`|\b({names_of_others})\b|\*\.n1x1", "", text)
        found += [text for word in re.findall(r"[a-z]{3,}", left) if word]
    return found


def test_a_korean_report_has_no_english_left(study: Study) -> None:
    made = make_report(study, "cpu", KOREAN)
    assert find_english(Report(title="", subtitle="", blocks=[Paragraph(text="가 written 나")])), "the reader of English sees a word"
    assert find_english(made) == []
    said = "\n".join(list_texts(made.walk()))
    assert "시도 9." in said and "검증 정확도 54.00 %" in said
    assert "에폭 2에서 9개 중 3위" in said and "새 최고가 될 확률" in said
    assert "이 시도 0.5000, 다른 시도 3개의 중앙값 0.6000" in said and "손실이 발산했다" in said
    assert "테스트 데이터는 2번 사용했고, 마지막은 2026년 11월 5일" in said
    page = to_html(made)
    assert '<html lang="ko">' in page and re.search(r'<a href="#개선-일지">개선 일지</a>', page)


def make_font(path: Path) -> None:
    """A font whose every letter of the Korean tables is a square."""
    letters = sorted({ord(each) for each in "".join([*KOREAN.texts.values(), *KOREAN.terms.values()])})
    glyphs = {letter: f"u{letter:04X}" for letter in letters}
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for place in ((0, 700), (700, 700), (700, 0)):
        pen.lineTo(place)
    pen.closePath()
    square = pen.glyph()
    order = [".notdef", *glyphs.values()]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(order)
    builder.setupCharacterMap(glyphs)
    builder.setupGlyf(dict.fromkeys(order, square))
    builder.setupHorizontalMetrics(dict.fromkeys(order, (800, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "NanumGothic", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)


def test_pictures_are_in_korean_where_a_font_has_hangul_and_else_in_english_and_the_report_says_so(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rows = list_trials(study)
    monkeypatch.setattr(names, "FALLBACKS", ())
    names.find_families.cache_clear()
    assert names.choose_language(KOREAN) is ENGLISH
    assert "그림 속 글자는 영어이다" in make_report(study, "cpu", KOREAN).subtitle
    make_font(tmp_path / "NanumGothic.ttf")
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [*font_manager.fontManager.ttflist])
    (tmp_path / "none.ttf").write_text("no font")
    installed = [str(tmp_path / name) for name in ("none.ttf", "NanumGothic.ttf")]
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: installed)  # since matplotlib listed them
    monkeypatch.setattr(names, "FALLBACKS", ("NanumGothic",))
    for each in (names.find_families, names._letters):
        each.cache_clear()
    try:
        assert names.choose_language(KOREAN) is KOREAN
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # matplotlib's, of letters that are drawn as boxes
            drawn, english = draw_course(rows, KOREAN), draw_course(rows)
        assert drawn is not None and drawn != english
        assert not [each.getMessage() for each in caplog.records if each.name.startswith("matplotlib")], "it has no bold face"
        assert Image.open(io.BytesIO(drawn)).width >= 600
    finally:
        monkeypatch.undo()
        for each in (names.find_families, names._letters):
            each.cache_clear()
