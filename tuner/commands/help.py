"""How a command's help looks where it has many options: in groups, each under its heading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click


class GroupedCommand(click.Command):
    """`groups` has the parameters' names under each heading. What stands in none of them comes last, under `Options`."""

    def __init__(self, *args: Any, groups: Mapping[str, Sequence[str]], **options: Any) -> None:
        super().__init__(*args, **options)
        self.groups = groups

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        records = {
            str(parameter.name): record
            for parameter in self.get_params(ctx)
            if isinstance(parameter, click.Option) and (record := parameter.get_help_record(ctx)) is not None
        }
        grouped = [(heading, [records.pop(name) for name in names if name in records]) for heading, names in self.groups.items()]
        for heading, found in [*grouped, ("Options", list(records.values()))]:
            if found:
                with formatter.section(heading):
                    formatter.write_dl(found)
