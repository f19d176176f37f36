"""The structure of the package as its imports draw it: `python tests/layout.py [FOLDER OF tuner]`.

A room is what lies at the top of the package, a folder or a file; an arrow leads from a room to one that it imports,
within functions too; a room's floor is one above the highest that it imports; a circle is a set of rooms that import
each other.
"""

from __future__ import annotations

import ast
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path


def list_modules(package: Path) -> dict[str, Path]:
    """Every module by its name within the package; a folder's own file has the folder's name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name:
            found[name] = path
    return found


def read_imports(package: Path, path: Path) -> set[str]:
    """The modules of the package that a file imports, for type checkers too."""
    modules = list_modules(package)
    here = list(path.relative_to(package).parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = here[: len(here) - (node.level - 1)] + (node.module.split(".") if node.module else [])
            for alias in node.names:
                name = ".".join([*base, alias.name])
                found.add(name if name in modules else ".".join(base))
    return {name for name in found if name}


def name_room(module: str) -> str:
    return module.split(".")[0]


def draw_arrows(package: Path) -> dict[str, set[str]]:
    """The rooms that each room imports."""
    arrows: dict[str, set[str]] = {}
    for module, path in list_modules(package).items():
        own = name_room(module)
        arrows.setdefault(own, set()).update({name_room(other) for other in read_imports(package, path)} - {own})
    return arrows


def find_circle(arrows: dict[str, set[str]]) -> list[str]:
    """The rooms of one circle, the first of them again at its end; empty where there is none."""
    try:
        list(TopologicalSorter(arrows).static_order())
    except CycleError as error:
        return list(error.args[1])
    return []


def count_floors(arrows: dict[str, set[str]]) -> dict[str, int]:
    """Each room's floor, from 1. There must be no circle."""
    floors: dict[str, int] = {}
    for room in TopologicalSorter(arrows).static_order():
        floors[room] = 1 + max((floors[other] for other in arrows.get(room, ())), default=0)
    return floors


def main() -> None:
    package = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "tuner"
    arrows = draw_arrows(package)
    count = sum(map(len, arrows.values()))
    circle = find_circle(arrows)
    if circle:
        print(f"{len(arrows)} rooms, {count} arrows; a circle: {' -> '.join(circle)}")
        return
    floors = count_floors(arrows)
    print(f"{len(arrows)} rooms, {count} arrows, {max(floors.values())} floors, no circle")
    for room, floor in sorted(floors.items(), key=lambda each: (-each[1], each[0])):
        print(f"{floor:3} {room:<12} {' '.join(sorted(arrows[room]))}")


if __name__ == "__main__":
    main()
