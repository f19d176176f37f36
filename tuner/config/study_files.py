"""Study files: where a name is looked for, and which ones are shipped."""

from __future__ import annotations

from pathlib import Path

ENDINGS = (".yaml", ".yml")


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
                if path.suffix in ENDINGS:
                    found.setdefault(path.stem, path)
    return found


def find(study: str) -> tuple[str, Path | None]:
    """The study's name, and its file: a path as given, or a name's file; None where no file has that name."""
    path = Path(study)
    if path.suffix in ENDINGS or "/" in study:
        return path.stem, path
    return study, list_available().get(study)
