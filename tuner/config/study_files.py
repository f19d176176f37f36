"""Study files: where a name is looked for, and which ones are shipped."""

from __future__ import annotations

from pathlib import Path

from ..errors import UsageError

ENDINGS = (".yaml", ".yml")
DEFAULT_URL = "sqlite:///studies/tuner.db"  # of the storage, beside the study files
LONGEST_NAME = 200  # bytes: a name is a folder's name too, with room for an ending


def check_name(name: str) -> None:
    """Errors: UsageError for a study's name that is no plain name of a folder, such as `..`: its checkpoints lie in one."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise UsageError(f"study name {name!r} is not UTF-8: give it another name") from None
    if name in ("", ".", "..") or "/" in name or not name.isprintable() or name != name.strip() or size > LONGEST_NAME:
        shown = name if size <= LONGEST_NAME else f"{name[:40]}... ({size} bytes)"
        raise UsageError(f"study name {shown!r} cannot be the name of a folder: give a plain name of at most {LONGEST_NAME} bytes")


def find_shipped_folder() -> Path:
    """The studies that come with tuner: inside the package when installed, beside it in a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "studies"
    return inside if inside.is_dir() else package.parent / "studies"


def list_available() -> dict[str, Path]:
    """Every study that a name can mean; those in ./studies come before the shipped ones."""
    found: dict[str, Path] = {}
    for folder in (Path("studies"), find_shipped_folder()):
        if folder.is_dir():
            for path in sorted(folder.iterdir()):
                if path.suffix in ENDINGS and _is_name(path.stem):
                    found.setdefault(path.stem, path)
    return found


def _is_name(name: str) -> bool:
    try:
        check_name(name)
    except UsageError:
        return False
    return True


def find(study: str) -> tuple[str, Path | None]:
    """The study's name, and its file: a path as given, or a name's file; None where no file has that name.

    Errors: UsageError for what cannot be a study's name.
    """
    if "://" in study:
        raise UsageError(f"{study.partition('://')[0]}://... is a storage and no study: give it with --storage")
    path = Path(study)
    if path.suffix in ENDINGS or "/" in study:
        check_name(path.stem)
        return path.stem, path
    check_name(study)
    return study, list_available().get(study)
