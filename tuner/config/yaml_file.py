"""YAML as our users mean it: `1e-3` is a number, and a key given twice is a mistake.

Whatever is in a file, reading it ends soon, takes little memory, and fails with one line. So a file, its nesting and what its
aliases stand for are bounded; the largest file of a real study has a hundredth of that.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from ..errors import UsageError, shorten

LARGEST = 1 << 18  # bytes of a file, and characters with every alias written out
MOST_VALUES = 50_000  # keys included
DEEPEST = 50  # lists and maps within each other
LONGEST_NUMBER = 100  # characters
INT64 = 2**63


class Refused(yaml.MarkedYAMLError):
    """What is YAML, but of no use to any reader here; the problem says why."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, for content of a bounded size; all that it raises is a MarkedYAMLError with a line."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._count = 0
        self._measures: dict[yaml.Node, tuple[int, int]] = {}  # of each whole node, its aliases written out: characters and depth

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        self._depth += 1
        self._count += 1
        if self._count > MOST_VALUES:
            raise Refused(problem=f"more than {MOST_VALUES:,} values", problem_mark=mark)
        if self._depth > DEEPEST:
            raise Refused(problem=f"lists and maps stand within each other more than {DEEPEST} deep", problem_mark=mark)
        is_alias = self.check_event(yaml.AliasEvent)
        node = super().compose_node(parent, index)
        self._depth -= 1
        assert node is not None
        if is_alias:
            if node not in self._measures:
                raise Refused(problem="an alias stands for what it is part of", problem_mark=mark)
        else:
            self._measures[node] = self._measure(node)
        if self._measures[node][0] > LARGEST or self._measures[node][1] > DEEPEST:
            raise Refused(problem="too much, with its aliases written out", problem_mark=mark)
        return node

    def _measure(self, node: yaml.Node) -> tuple[int, int]:
        if isinstance(node, yaml.ScalarNode):
            return len(node.value) + 1, 1
        parts = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
        measures = [self._measures[part] for part in parts]
        return 1 + sum(size for size, _ in measures), 1 + max((depth for _, depth in measures), default=0)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep)
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError):  # what its constructors meet unforeseen
            kind = node.tag.rpartition(":")[2]
            shown = shorten(repr(node.value), 60) if isinstance(node, yaml.ScalarNode) else "this"
            raise Refused(problem=f"{shown} is no {kind}", problem_mark=node.start_mark) from None
        if isinstance(value, int) and abs(value) >= INT64:
            raise Refused(problem="a whole number of more than 64 bits", problem_mark=node.start_mark)
        return value


class _Dumper(yaml.SafeDumper):
    pass


# YAML 1.1 wants a dot and a sign in a float; 1e-3 would be a string. What is written as a string is quoted for that reason.
for _side in (_Loader, _Dumper):
    _side.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+$"),
        list("-+0123456789."),
    )


def _number(loader: _Loader, node: yaml.ScalarNode) -> Any:
    if len(node.value) > LONGEST_NUMBER:  # 1:1:1:1 is a number too, and is read in the square of its length
        raise Refused(problem=f"a number of {len(node.value)} characters", problem_mark=node.start_mark)
    whole = node.tag.endswith(":int")
    return loader.construct_yaml_int(node) if whole else loader.construct_yaml_float(node)


def _mapping(loader: _Loader, node: yaml.MappingNode, deep: bool = True) -> dict[Any, Any]:
    if not isinstance(node, yaml.MappingNode):
        raise Refused(problem="a map is expected", problem_mark=node.start_mark)
    loader.flatten_mapping(node)
    pairs: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, Hashable):
            raise Refused(problem="a key that is itself a list or a map", problem_mark=key_node.start_mark)
        if key in pairs:
            raise Refused(problem=f"the key {shorten(repr(key), 60)} stands twice", problem_mark=key_node.start_mark)
        pairs[key] = loader.construct_object(value_node, deep=deep)
    return pairs


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
for _kind in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _number)


def read(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. A file that is missing, binary, too large, empty or no mapping is a UsageError, and so is a pipe."""
    try:
        if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():
            raise UsageError(f"{str(path)!r} is a pipe or a device: give the path of a YAML file")
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise UsageError(f"{path}: larger than the {LARGEST:,} bytes that are read: a study or configuration file is expected")
        text = content.decode("utf-8")
    except FileNotFoundError:
        raise UsageError(f"no file {str(path)!r}: give the path of a YAML file") from None
    except IsADirectoryError:
        raise UsageError(f"{str(path)!r} is a folder: give the path of a YAML file") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: not a text file: a YAML file is expected") from None
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror}") from None
    except ValueError:  # a NUL in the path
        raise UsageError(f"{str(path)!r} is no path: give the path of a YAML file") from None
    return parse(text, str(path))


def parse(text: str, where: str) -> dict[str, Any]:
    """The mapping in a YAML text; `where` names it in errors."""
    loader = None
    try:
        loader = _Loader(text)
        content = loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}" if error.problem_mark else ""
        what = ":" if isinstance(error, Refused) else " is not YAML:"
        raise UsageError(f"{where}:{line}{what} {error.problem}") from None
    except yaml.YAMLError:
        raise UsageError(f"{where}: not a text file: a YAML file is expected") from None
    finally:
        if loader is not None:
            loader.dispose()
    if content is None:
        raise UsageError(f"{where}: the file is empty: name at least a space or a start")
    if not isinstance(content, dict):
        raise UsageError(f"{where}: holds a {type(content).__name__}, but a map (key: value) is expected")
    return {str(key): value for key, value in content.items()}


def dump(content: dict[str, Any]) -> str:
    """YAML in the order given, readable by `parse` and by any YAML reader."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
