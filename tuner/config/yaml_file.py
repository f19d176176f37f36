"""YAML as our users mean it: `1e-3` is a number, and a key given twice is a mistake."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from ..errors import UsageError


class _Loader(yaml.SafeLoader):
    pass


class _Dumper(yaml.SafeDumper):
    pass


# YAML 1.1 wants a dot and a sign in a float; 1e-3 would be a string. What is written as a string is quoted for that reason.
for _side in (_Loader, _Dumper):
    _side.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+$"),
        list("-+0123456789."),
    )


def _mapping(loader: _Loader, node: yaml.MappingNode, deep: bool = True) -> dict[Any, Any]:
    loader.flatten_mapping(node)
    pairs: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, (list, dict)):
            raise yaml.MarkedYAMLError(problem="a key that is itself a list or a map", problem_mark=key_node.start_mark)
        if key in pairs:
            raise yaml.MarkedYAMLError(problem=f"the key {key!r} stands twice", problem_mark=key_node.start_mark)
        pairs[key] = loader.construct_object(value_node, deep=deep)
    return pairs


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. A file that is missing, binary, empty or no mapping is a UsageError."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"no file {str(path)!r}: give the path of a YAML file") from None
    except IsADirectoryError:
        raise UsageError(f"{str(path)!r} is a folder: give the path of a YAML file") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: not a text file: a YAML file is expected") from None
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror}") from None
    return parse(text, str(path))


def parse(text: str, where: str) -> dict[str, Any]:
    """The mapping in a YAML text; `where` names it in errors."""
    try:
        content = yaml.load(text, Loader=_Loader)  # noqa: S506  our loader is a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UsageError(f"{where}:{line} is not YAML: {error.problem}") from None
    except yaml.YAMLError:
        raise UsageError(f"{where}: not a text file: a YAML file is expected") from None
    if content is None:
        raise UsageError(f"{where}: the file is empty: name at least a space or a start")
    if not isinstance(content, dict):
        raise UsageError(f"{where}: holds a {type(content).__name__}, but a map (key: value) is expected")
    return {str(key): value for key, value in content.items()}


def dump(content: dict[str, Any]) -> str:
    """YAML in the order given, readable by `parse` and by any YAML reader."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
