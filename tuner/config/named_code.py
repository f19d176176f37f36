"""The files with code of the user's own that a configuration names: found, compared with what was trained, and permitted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import TunerError, UsageError
from ..models.own_code import (
    Code,
    check_digest,
    describe,
    find_code,
    find_line,
    find_permitted,
    find_stored_code,
    has_permitted,
    is_own,
    permit,
)
from ..models.own_network import Signature, read_signature
from .hyperparameters import Hyperparameter, name_option
from .study_files import find
from .yaml_file import read

ACCEPT = "go on with --accept-changed-code"


def name_code(specs: Iterable[str], beside: Path | None) -> list[Code]:
    """The code of these names that is the user's own, beside a file of his or where he is; this process may run it from now on.

    Errors: UsageError where a file is not there.
    """
    folders = [*([] if beside is None else [beside]), Path()]
    found = [find_code(spec, folders) for spec in specs if is_own(spec)]
    permit(found)
    return found


def name_trained_code(spec: str, digest: str | None, beside: Path, what: str, *, accept: bool = False) -> Code | None:
    """The code that a configuration file names, as `name_code` finds it; None for a network of tuner's.

    Errors: UsageError where it is not there, or is not the file of that digest, unless the user accepts that.
    """
    if not is_own(spec):
        return None
    found = find_code(spec, [beside, Path()], digest=digest)
    if not accept:
        check_digest(found, digest, what, ACCEPT)
    permit([found])
    return found


def name_carried_code(spec: str, digest: str | None, what: str, *, accept: bool = False) -> Code | None:
    """The code that a file of weights names, whoever made it: only a file where the user is; None for a network of tuner's.

    Errors: UsageError where it is not there, or is not the file of that digest, unless the user accepts that.
    """
    if not is_own(spec):
        return None
    found = find_stored_code(spec, [Path()], digest=digest)
    if digest is None and not accept:
        raise UsageError(f"{what} does not say which file {spec!r} was: give its configuration with --config FILE, or {ACCEPT}")
    if not accept:
        check_digest(found, digest, what, ACCEPT)
    permit([found])
    return found


def name_stored_code(digests: Mapping[str, str | None], study: str, *, accept: bool = False, remedy: str = ACCEPT) -> list[Code]:
    """The code that a study in a database names: in ./studies, where the user is, or where a study file of his says.

    `study` is its name or its file, as it was typed. Nothing is looked for where this process was told of the very files before.
    Errors: UsageError where it is not there, or was changed and the user does not accept that, with the remedy.
    """
    digests = {spec: digest for spec, digest in digests.items() if is_own(spec)}
    if all(has_permitted(spec, digest) for spec, digest in digests.items()):
        return [find_permitted(spec) for spec in digests]
    path = find(study)[1]
    named = _read_names(path)
    found = []
    for spec, digest in digests.items():
        folders = [*([path.parent] if path is not None and spec in named else []), Path("studies"), Path()]
        seek = find_code if spec in named else find_stored_code
        code = seek(spec, folders, digest=digest)
        if not accept:
            check_digest(code, digest, f"study {study!r}", remedy)
        found.append(code)
    permit(found)
    return found


def _read_names(path: Path | None) -> Collection[str]:
    """The models and images that the user's study file names."""
    if path is None or not path.is_file():
        return ()
    try:
        plain = read(path)
    except TunerError:
        return ()
    space = plain.get("space")
    named = [plain.get("model"), plain.get("data"), space.get("model") if isinstance(space, dict) else None]
    return {str(name) for each in named for name in (each if isinstance(each, list) else [each])}


def blame_code(error: Exception) -> TunerError | None:
    """The line for an error that came through code of the user's own. None for others."""
    line = find_line(error)
    return None if line is None else TunerError(f"{line}: {describe(error)}")


@dataclass(frozen=True)
class Arguments:
    """What the user's functions take: each argument as a hyper-parameter."""

    signatures: Sequence[Signature]

    @classmethod
    def read(cls, codes: Iterable[Code]) -> Arguments:
        """Errors: UsageError for code that does not load."""
        return cls([read_signature(code) for code in codes])

    def check_complete(self, options: Collection[str]) -> None:
        """Errors: UsageError where a function needs an argument that is not among the options."""
        for signature in self.signatures:
            signature.check_complete(options)

    def fit(self, option: str, parse: Any, value: Any) -> Any:
        """A value as every function takes it: `parse` gets the hyper-parameter and it. Errors: UsageError with file and line."""
        for signature in self.signatures:
            found = signature.find(option)
            hyperparameter = Hyperparameter(name=name_option(option), kind=found.kind or object, default=None, choices=found.choices)
            try:
                value = parse(hyperparameter, value)
            except UsageError as error:
                raise UsageError(f"{error.message} ({signature.place})") from None
        return value
