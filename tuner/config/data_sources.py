"""Where images may come from. A source is a file in `data/`, and an entry here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..models.own_code import is_own_data


@dataclass(frozen=True, kw_only=True)
class DataSource:
    """One source of images.

    `title` names it in a sentence, with {path} for what stands after the colon; `loader` is the function that reads it,
    as MODULE:FUNCTION in `tuner.data`, called with the path, the image size, and a function that takes lines of progress.
    `layout` says where its files lie, for a source that takes a path.
    """

    name: str
    title: str
    loader: str
    layout: str = ""
    takes_path: bool = False

    @property
    def spec(self) -> str:
        """What is typed after `--data`."""
        return f"{self.name}:PATH" if self.takes_path else self.name


def _by_name(*sources: DataSource) -> dict[str, DataSource]:
    found: dict[str, DataSource] = {}
    for source in sources:
        assert source.name not in found, f"data {source.name!r} is registered twice"
        found[source.name] = source
    return found


SOURCES = _by_name(
    DataSource(name="cifar10", title="CIFAR-10", loader="cifar10:cifar10"),
    DataSource(name="digits", title="handwritten digits (scikit-learn)", loader="digits:digits"),
    DataSource(
        name="folder",
        title="the images in {path}",
        loader="folder:folder",
        layout="PATH/train/CLASS/*, PATH/test/CLASS/*, or PATH/CLASS/*",
        takes_path=True,
    ),
)


def list_specs(joint: str = "or") -> str:
    """`cifar10, digits or folder:PATH`."""
    *others, last = [source.spec for source in SOURCES.values()]
    return f"{', '.join(others)} {joint} {last}"


def name_source(source: str) -> str:
    """A source, as it was typed, in a sentence."""
    kind, _, path = source.partition(":")
    return f"the images of {source}" if is_own_data(source) else SOURCES[kind].title.format(path=path)


def make_absolute(source: str) -> str:
    """The source for a process in another folder."""
    kind, colon, path = source.partition(":")
    return f"{kind}:{Path(path).absolute()}" if colon and not is_own_data(source) and SOURCES[kind].takes_path else source
