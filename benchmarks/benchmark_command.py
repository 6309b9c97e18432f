"""A command that is itself a command: `edge-mnist benchmark BUNDLE` measures, `edge-mnist benchmark compare` compares.

A click group would take a bundle's name for that of a command it does not have.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class CommandWithOthers(click.Command):
    """Runs itself unless its first argument names one of the others.

    Attributes:
        others: By name, the module, the function in it, and one line for --help. Imported when they are used.
    """

    others: Mapping[str, tuple[str, str, str]] = {}

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """The other command's context where it is named first, else ours."""
        if args and args[0] in self.others:
            module, function, _ = self.others[args[0]]
            other: click.Command = getattr(import_module(module, __package__), function)
            return other.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Whichever command the context was made for."""
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the others below the options."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, _, summary) in self.others.items()])
