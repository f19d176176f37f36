"""Study and configuration files, and weights, that are none: seeds, mutated at random, and read in a process with limits.

    python -m tests.bad_input study 0 5000      # kind, seed, how many

prints each input that ended in something else than a result or a line, took too long, or took too much memory.
"""

from __future__ import annotations

import json
import random
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tuner.errors import LONGEST, TunerError

SECONDS = 5.0  # for one input
MEMORY = 1 << 30  # bytes, beside what the imports take

STUDY = """\
model: mynet
width: 0.5
data: folder:images
train_images: 500
image_size: 8
normalize: {mean: [0.1, 0.2, 0.3], std: 1}
validation: 0.2
objective: macro_f1
class_weights: balanced
seed: 3
sampler: {name: tpe, n_startup_trials: 3}
pruner: {name: hyperband, min_resource: 1, reduction_factor: 3}
space:
  lr: {low: 1.0e-4, high: 1.0e-1, log: true}
  batch_size: [8, 16]
  epochs: {low: 2, high: 8, step: 2}
  momentum: {low: 0, high: 0.9, step: 0.3}
  augment: [none, flip]
  widths:
    "*.n1x1": {low: 0.5, high: 1.5, step: 0.25}
    stem: 2
start:
  - {lr: 0.001, batch_size: 8, epochs: 6, widths: {"*.n1x1": 1}}
  - {momentum: 0.3}
"""
GRID = """\
model: [mynet, googlenet]
data: digits
sampler: grid
pruner: {name: sha, min_early_stopping_rate: 1, bootstrap_count: 0}
space:
  epochs: {low: 2, high: 8}
  lr: {low: 0.1, high: 0.5, step: 0.1}
  optimizer: [sgd, adamw]
  nesterov: [true, false]
"""
CONFIG = """\
format: 1
model: mynet
width: 0.5
widths: {"*.n1x1": 0.5, stem: 2}
lr: 0.1
batch_size: 32
epochs: 3
momentum: 0.9
weight_decay: 0.0
nesterov: false
optimizer: sgd
schedule: constant
label_smoothing: 0.0
augment: none
data:
  source: folder:images
  train_images: 500
  image_size: 8
  validation: 0.2
  seed: 0
  normalize: {mean: 0.5, std: 0.5}
  fingerprint: "0123456789abcdef"
  classes: [a, b]
seed: 12
threads: 1
precision: fp32
objective: top5
class_weights: none
micro_batches: 1
origin: {study: small, trial: 3, validation_accuracy: 0.5}
"""
SEEDS = {"study": (STUDY, GRID), "config": (CONFIG,)}

# What stands in the place of a value. Each was once a traceback, a hang, gigabytes, or taken in silence.
VALUES = [
    *("", "~", "null", "true", "no", "x", "''", "0", "1", "-1", "2", "0.5", "3", "-0.0", "1e-3", "cosine", "grid", "gp", "none"),
    *(
        "!!int foo",
        "!!int ''",
        "!!float x",
        "!!bool x",
        "!!null x",
        "!!timestamp x",
        "!!binary x",
        "!!str [a]",
        "!!map [1]",
        "!!seq {a: 1}",
    ),
    *(
        "!!set {a, b}",
        "!!omap [a: 1]",
        "!!pairs [a: 1]",
        "!!python/object/apply:os.system [id]",
        "!<x> y",
        "=",
        "<<",
        "0x_",
        "0b",
        "0o9",
        "0_",
    ),
    *("2020-13-45", "2020-01-01", "2020-01-01 25:61:61", "1:1", "1:99", "-1:1.5", "!!float 1:x", "1" + ":1" * 60_000),
    *("1" + "0" * 400, "9" * 5_000, "0x" + "f" * 5_000, str(2**31), str(2**63), str(2**64), str(-(2**63)), "1" + "0" * 18, "1" + "0" * 30),
    *("1e308", "1e309", "-1e308", "1e-308", "5e-324", "1e30", "1e400", ".inf", "-.inf", ".nan", "1e38", "4e38", "1e6", "1e9"),
    *(
        "[" * 500,
        "{a: " * 500,
        "[]",
        "{}",
        "[[]]",
        "[{}]",
        "{{}: 1}",
        "[1, 1]",
        "[1, 2, x]",
        "{1: 2}",
        "{null: 1}",
        "{? [a] : 1}",
        "[" + "1," * 3_000 + "]",
    ),
    *("&a [*a]", "&b {c: *b}", "*none", "&c x", "*c", "{<<: 3}", "{<<: [*c]}", "{<<: {lr: 1}}"),
    *("{low: 1, high: 2}", "{low: 1}", "{low: 2, high: 1}", "{low: 0, high: 1e308}", "{low: 1e-308, high: 1, step: 1e-308}"),
    *("{low: 0.1, high: 0.5, step: 1e30}", "{low: 1, high: 100000000}", "{low: 1, high: 2147483647}", "{low: 1, high: 1, step: 5}"),
    *(
        "{low: 5e-324, high: 3e38, log: true}",
        "{low: .nan, high: 1}",
        "{low: 1, high: .inf, log: maybe}",
        "{low: [1], high: {a: 1}}",
        "{low: 0, high: 1, step: .nan}",
    ),
    *("{name: []}", "{name: {a: 1}}", "{name: gp, n_startup_trials: x}", "{name: tpe, n_startup_trials: []}", "{name: tpe, seed: 1}"),
    *(
        "{name: cmaes, popsize: -1}",
        "{name: percentile, percentile: 1e9}",
        "{name: hyperband, max_resource: 0}",
        "{name: tpe, n_ei_candidates: x}",
    ),
    *(
        r'"folder:\0"',
        '"folder:' + "x" * 300 + '"',
        "folder:~nosuchuser",
        "folder:~nosuchuser/x",
        "folder:",
        "folder",
        r'"folder:\ud800"',
        "folder:/dev/zero",
    ),
    *(
        "x" * 100_000,
        "'" + "y" * 100_000 + "'",
        '"\\x1b[31mred\\x07"',
        '"a\\u2028b"',
        "a\\nb",
        "\u202egnirts",
        "\t",
        "- - -",
        "? ? ?",
        "%x",
        "@x",
        "`x",
        "|",
        ">",
        "#",
    ),
]
BOMB = "b0: &b0 [x, x, x, x, x, x, x, x, x]\n" + "".join(f"b{i}: &b{i} [{', '.join([f'*b{i - 1}'] * 9)}]\n" for i in range(1, 12))
CHAIN = "c0: &c0 [x]\n" + "".join(f"c{i}: &c{i} [*c{i - 1}]\n" for i in range(1, 3_000))
WHOLE = [
    *(
        "",
        "\n" * 1_000,
        "# only a comment",
        "- a\n- b",
        "x",
        "[1, 2",
        "space: [1, 2",
        "a: 1\na: 2",
        "---\na: 1\n---\nb: 2",
        "\ufeffspace: {lr: 1}",
        "{",
        "}",
        "\0",
    ),
    *(
        BOMB,
        CHAIN,
        BOMB + f"space: {{lr: *b9}}\n{STUDY}",
        "space: {lr: [" + "*x," * 10 + "]}",
        "a: &a\n- *a",
        "? " * 3_000,
        "- " * 3_000,
        "a: [" + "x," * 100_000 + "]",
    ),
    *(
        "".join(f"k{i}: 1\n" for i in range(20_000)),
        "start:\n" + "- {lr: 0.1}\n" * 20_000,
        "format: 1\norigin: 3",
        "format: 1\norigin: {validation_accuracy: x}",
    ),
    "start:\n" + "- {lr: 0.1}\n" * 3_000,
    "space: {widths: {" + ", ".join(f"'*{'?' * i}*': 1.5" for i in range(90)) + "}}",
    "sampler: grid\nspace: {epochs: {low: 1, high: 100000000}}",
    "sampler: random\nspace: {epochs: {low: 1, high: 100000000}, batch_size: {low: 1, high: 100000000}}",
    "space: {lr: 1}\nwidth: 1e308",
    "space: {lr: {low: 0.1, high: 0.2, step: 1e-308}}",
    "space: {lr: {low: 0.1, high: 0.2, step: 1e30}}",
    "space: {widths: {stem: 1e30, '*': 1e30, 's*': 1e30}}",
    "x" * (1 << 20),
]


def list_corpus(kind: str) -> Iterator[bytes]:
    """What is tried first: each seed, whole, and with each value in the place of one that changes from value to value."""
    if kind == "weights":
        from tests import bad_weights

        yield from bad_weights.list_corpus()
        return
    for text in (*SEEDS[kind], *WHOLE):
        yield text.encode("utf-8", "surrogatepass")
    yield from (b"\xff\xfe\x00", bytes(range(256)), "space: {lr: 1}".encode("utf-16"), b"\x80abc", b"a: \xed\xa0\x80")
    for index, value in enumerate(VALUES):
        text = SEEDS[kind][index % len(SEEDS[kind])]
        places = _places(text)
        yield _put(text, places[index % len(places)], value).encode("utf-8", "surrogatepass")


def mutate(draw: random.Random, kind: str) -> bytes:
    """A seed with one to four changes."""
    if kind == "weights":
        from tests import bad_weights

        return bad_weights.mutate(draw)
    text = draw.choice(SEEDS[kind])
    for _ in range(draw.randint(1, 4)):
        match draw.randrange(8):
            case 0 | 1 | 2 | 3:
                text = _put(text, draw.choice(_places(text) or [(0, 0)]), draw.choice(VALUES))
            case 4:
                lines = text.splitlines(keepends=True) or [""]
                del lines[draw.randrange(len(lines))]
                text = "".join(lines)
            case 5:
                lines = text.splitlines(keepends=True) or [""]
                lines.insert(draw.randrange(len(lines)), draw.choice(lines))
                text = "".join(lines)
            case 6:
                at = draw.randrange(len(text) + 1)
                text = text[:at] + draw.choice("\0\t\n:{}[]&*!|>'\"%@`#-? \u00e9\ud800\x1b") + text[at:]
            case 7:
                text = text[: draw.randrange(len(text) + 1)]
    content = text.encode("utf-8", "surrogatepass")
    return content if draw.randrange(20) else content + bytes([draw.randrange(256)])


def _places(text: str) -> list[tuple[int, int]]:
    """Where values and keys stand: words between YAML's own signs."""
    places, start = [], None
    for at, letter in enumerate(text + "\n"):
        if letter in " \n,[]{}":
            if start is not None and at - start < 40:
                places.append((start, at - 1 if text[at - 1] == ":" else at))
            start = None
        elif start is None:
            start = at
    return places


def _put(text: str, place: tuple[int, int], value: str) -> str:
    return text[: place[0]] + value + text[place[1] :]


def read_study(path: Path) -> None:
    """All that a study file passes through before its images are read, but for the trial draws of its sampler."""
    from tuner.config.study_config import StudyConfig
    from tuner.study.pruners import make_pruner
    from tuner.study.samplers import make_sampler
    from tuner.study.search_space import assemble, count_configurations, define, find_untried

    config = StudyConfig.from_file(path)
    make_sampler(config)
    make_pruner(config)
    assert StudyConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    json.dumps(define(config, "0"))
    if config.space and count_configurations(config) is not None:
        point = find_untried(config, [], {}, seed=0)
        assert point is not None
        values = {"model": config.models[0], **config.fixed, **point}
        assemble(values, config, seed=0, threads=1, precision="fp32").to_dict()


def read_configuration(path: Path) -> None:
    """All that a configuration file passes through before its images are read."""
    from tuner.config.trial_config import TrialConfig, read_config, read_data_record, write_config

    config, origin, fingerprint = read_config(path)
    record = read_data_record(path)
    record.is_of("folder:images")
    assert TrialConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert len(config.channels) > 1
    path.write_text(write_config(config, fingerprint=fingerprint, origin=origin, classes=record.classes), encoding="utf-8")
    assert read_config(path)[0] == config


def read_weights(path: Path) -> None:
    from tests import bad_weights

    bad_weights.read(path)


READERS: dict[str, Callable[[Path], None]] = {"study": read_study, "config": read_configuration, "weights": read_weights}


class _TooLong(BaseException):
    pass


def _ring(*_: Any) -> None:
    raise _TooLong


def attack(kind: str, content: bytes, folder: Path) -> str:
    """What was wrong with reading this, in a line; empty where nothing was."""
    path = folder / "attacked.yaml"
    path.write_bytes(content)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)  # of computing, because the machine may be busy
    began = time.process_time()
    try:
        READERS[kind](path)
    except TunerError as error:
        if len(error.message) > LONGEST or not error.message.isprintable():
            return f"no line: {error.message[:80]!r}"
    except _TooLong:
        return f"longer than {SECONDS} s"
    except BaseException as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return "" if time.process_time() - began < SECONDS else "too long within one call"


def main(kind: str, seed: int, count: int, seconds: float = 1e9) -> None:
    """Attack with the corpus and then with mutants, for so many inputs or seconds. JSON on stdout."""
    import tuner.models.weights
    import tuner.study.samplers  # noqa: F401

    signal.signal(signal.SIGPROF, _ring)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    draw = random.Random(seed)
    corpus = list(list_corpus(kind))
    began, tried, wrong = time.monotonic(), 0, []
    with tempfile.TemporaryDirectory() as folder:
        while tried < count and (tried < len(corpus) or time.monotonic() - began < seconds):
            content = corpus[tried] if tried < len(corpus) else mutate(draw, kind)
            fault = attack(kind, content, Path(folder))
            tried += 1
            if fault:
                wrong.append({"fault": fault, "input": repr(content[:2000]), "number": tried})
    print(json.dumps({"tried": tried, "wrong": wrong}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), *map(float, sys.argv[4:]))
