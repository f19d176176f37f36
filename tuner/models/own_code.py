"""Code of the user's own: the file that `net.py:build` or `package.module:build` means, its digest, and what it defines.

Code is run only from a file that this process was told of by `permit`. Whoever calls it has the file from the command line, or from
a study or configuration file that the user named; or has found, in the folder where the user is, the file whose digest stands with
what is to be gone on with. Imports no torch.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import TunerError, UsageError, nearest

RESERVED = ("torchvision", "folder")  # what stands before a colon and is no file or module of the user's
FORMS = "FILE.py:FUNCTION or package.module:FUNCTION"


class ChangedCode(UsageError):
    """The file is there, but is not what was trained."""


@dataclass(frozen=True, kw_only=True)
class Code:
    """A function in a file. `folder` is where the import of a module begins; None for a file, which is read by itself."""

    spec: str
    path: Path
    digest: str
    folder: Path | None = None

    @property
    def function(self) -> str:
        return self.spec.rpartition(":")[2]


_permitted: dict[str, Code] = {}
_modules: dict[tuple[Path, str], ModuleType] = {}  # by file and digest


def is_own(name: object) -> bool:
    """Whether a name means code of the user's, and none of the networks that tuner knows."""
    return isinstance(name, str) and ":" in name and name.partition(":")[0] not in RESERVED


def is_own_data(source: object) -> bool:
    """Whether a data source is code of the user's: a file that ends in .py, or a module within a package."""
    return isinstance(source, str) and is_own(source) and "." in source.rpartition(":")[0]


def check_spec(spec: str) -> None:
    """Errors: UsageError for what cannot mean a function in a file or module."""
    place, _, function = spec.rpartition(":")
    dotted = all(part.isidentifier() for part in place.split("."))
    if not function.isidentifier() or not (place.endswith(".py") or dotted) or "\0" in place:
        raise UsageError(f"{spec!r} names no code: write {FORMS}")


def find_code(spec: str, folders: Iterable[Path], *, digest: str | None = None) -> Code:
    """The code that the user names, looked for in these folders, one after the other; a module then where Python finds modules.

    Where several have such a file, the one of that digest comes first. Errors: UsageError where none has.
    """
    check_spec(spec)
    looked = list(dict.fromkeys(folder.absolute() for folder in folders))
    places = [*looked, *(Path(entry).absolute() for entry in sys.path)] if _is_module(spec) else looked
    return _choose(spec, places, looked, digest)


def find_stored_code(spec: str, folders: Iterable[Path], *, digest: str | None) -> Code:
    """The code that a database names: only a file in or below these folders, so that nobody else's words choose what is run.

    Errors: UsageError where there is none.
    """
    check_spec(spec)
    place = Path(spec.rpartition(":")[0])
    if place.is_absolute() or ".." in place.parts:
        raise UsageError(f"code {spec!r} lies elsewhere: name the study's file, which says so, instead of the study")
    looked = list(dict.fromkeys(folder.absolute() for folder in folders))
    return _choose(spec, looked, looked, digest)


def _choose(spec: str, places: Sequence[Path], told: Sequence[Path], digest: str | None) -> Code:
    found = [code for place in places if (code := _look(spec, place)) is not None]
    if not found:
        kind = "module" if _is_module(spec) else "file"
        where = " or ".join(repr(str(folder)) for folder in told)
        raise UsageError(f"model {spec!r}: no such {kind} in {where}: put it there, or run the command where it is")
    return next((code for code in found if code.digest == digest), found[0])


def _is_module(spec: str) -> bool:
    return not spec.rpartition(":")[0].endswith(".py")


def _look(spec: str, folder: Path) -> Code | None:
    place = spec.rpartition(":")[0]
    path: Path | None = folder / place
    if _is_module(spec):
        path = _find_module(place, folder)
    try:
        text = None if path is None else path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror}") from None
    if path is None or text is None:
        return None
    digest = hashlib.sha256(text).hexdigest()
    return Code(spec=spec, path=path.resolve(), digest=digest, folder=folder if _is_module(spec) else None)


def _find_module(name: str, folder: Path) -> Path | None:
    """The source of a module below a folder, without importing what it is part of."""
    within: list[str] | None = [str(folder)]
    found = None
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        found = PathFinder.find_spec(".".join(parts[:depth]), within) if within is not None else None
        if found is None:
            return None
        within = None if found.submodule_search_locations is None else list(found.submodule_search_locations)
    return Path(found.origin) if found is not None and found.origin is not None and found.origin.endswith(".py") else None


def check_digest(code: Code, digest: str | None, what: str, remedy: str = "go on with --accept-changed-code") -> None:
    """Errors: ChangedCode, with the remedy beside bringing it back, where the file is not the one that `what` was made with."""
    if digest is not None and code.digest != digest:
        raise ChangedCode(
            f"{str(code.path)!r} is not what {what} was made with: it was changed since (SHA-256 {code.digest[:12]}, was {digest[:12]}); "
            f"bring it back as it was, or {remedy}"
        )


def permit(codes: Iterable[Code]) -> None:
    """Let this process run these."""
    _permitted.update({code.spec: code for code in codes})


def list_permitted() -> tuple[Code, ...]:
    """What this process may run: its workers may, too."""
    return tuple(_permitted.values())


def find_permitted(spec: str) -> Code:
    """Errors: UsageError where this process was told of no such file."""
    if spec not in _permitted:
        raise UsageError(f"model {spec!r} is code of your own, and no file was named for it: name the study's file")
    return _permitted[spec]


def has_permitted(spec: str, digest: str | None) -> bool:
    """Whether this process was told of the very file of that digest."""
    return spec in _permitted and _permitted[spec].digest == digest


def load_function(code: Code) -> Any:
    """The function, or the class, that the code names: its file is run, once a process. Errors: UsageError with file and line."""
    module = _load_module(code)
    function = getattr(module, code.function, None)
    if function is None:
        known = [name for name, value in vars(module).items() if callable(value) and getattr(value, "__module__", None) == module.__name__]
        raise UsageError(f"{name_place(code)} has no {code.function!r}: {nearest(code.function, known)}")
    if not callable(function):
        raise UsageError(f"{name_place(code)}: {code.function!r} is no function, but {type(function).__name__}")
    return function


def _load_module(code: Code) -> ModuleType:
    key = (code.path, code.digest)
    if key in _modules:
        return _modules[key]
    try:
        text = code.path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {str(code.path)!r}: {error.strerror}") from None
    check_digest(replace(code, digest=hashlib.sha256(text).hexdigest()), code.digest, "this run", "begin again")
    with blaming(code):
        _modules[key] = _import(code) if code.folder is not None else _execute(code, text)
    return _modules[key]


def _execute(code: Code, text: bytes) -> ModuleType:
    """The very bytes that the digest was made of, under a name of their own."""
    name = f"own_{code.path.stem}_{code.digest[:12]}"
    module = ModuleType(name)
    module.__file__ = str(code.path)
    sys.modules[name] = module  # dataclasses look their module up there
    try:
        exec(compile(text, str(code.path), "exec"), module.__dict__)  # noqa: S102  # what the user named
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _import(code: Code) -> ModuleType:
    folder = str(code.folder)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module = importlib.import_module(code.spec.rpartition(":")[0])
    if Path(str(module.__file__)).resolve() != code.path:
        raise UsageError(f"model {code.spec!r}: {str(module.__file__)!r} was imported under that name before: give the module another")
    return module


@contextmanager
def blaming(code: Code, doing: str = "") -> Iterator[None]:
    """What the user's code raises is one line that names its file and line."""
    try:
        yield
    except (TunerError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(f"{find_line(error, code) or name_place(code)}: {doing}{describe(error)}") from None


def find_line(error: BaseException, *codes: Code) -> str | None:
    """`FILE:LINE`, the last of the user's own lines that an error came through; None where it came through none."""
    paths = {str(code.path) for code in (*codes, *_permitted.values())}
    if isinstance(error, SyntaxError) and error.filename in paths:
        return f"{_shorten(Path(error.filename))}:{error.lineno}"
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in paths]
    return f"{_shorten(Path(lines[-1].filename))}:{lines[-1].lineno}" if lines else None


def describe(error: BaseException) -> str:
    """An error's kind and the first line of what it says."""
    said = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def name_place(code: Code, function: Any = None) -> str:
    """The file, and the line where a function of it begins."""
    line = getattr(getattr(function, "__code__", None), "co_firstlineno", None)
    return f"{_shorten(code.path)}:{line}" if line is not None else _shorten(code.path)


def _shorten(path: Path) -> str:
    """As it is seen from the folder where the user is."""
    here = os.path.realpath(".")
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
