"""Commands of installed distributions: entry points in, commands out.

An entry point of the group `plano_filters.commands` names a `typer.Typer`; its own name is that of
the command. It is imported when it is called or listed, and not before: serving waits for no
command, and a broken one breaks no other.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points, version
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

GROUP: Final = "plano_filters.commands"
OURS: Final = "plano-filters"


class PluginCommands:
    """Commands by name.

    Args:
        points: Entry points of the group.
        taken: The names of our own commands.
    """

    def __init__(self, points: Iterable[EntryPoint], taken: Iterable[str] = ()) -> None:
        self._taken = frozenset(taken)
        self._points: dict[str, list[EntryPoint]] = {}
        for point in points:
            same = self._points.setdefault(point.name, [])
            if all(_origin(point) != _origin(other) for other in same):
                same.append(point)

    def names(self) -> list[str]:
        """Return the names that distributions claim, sorted."""
        return sorted(self._points)

    def load(self, name: str) -> TyperGroup:
        """Return the commands of that name.

        Raises:
            LookupError: They cannot be imported, or two distributions claim the name, or none.
        """
        points = self._points[name]
        origins = [_origin(point) for point in points]
        if name in self._taken:
            origins.append(f"{OURS} {version(OURS)} (its own)")
        if len(origins) > 1:
            raise LookupError(
                f'two distributions provide a command "{name}": {" and ".join(sorted(origins))}'
            )
        try:
            loaded = points[0].load()
            if not isinstance(loaded, typer.Typer):
                raise TypeError(f"{points[0].value} is no typer.Typer")
            group = get_group(loaded)
        except Exception as error:  # whatever a plugin does at import
            raise LookupError(
                f'command "{name}" of {origins[0]} cannot be imported: '
                f"{type(error).__name__}: {error}"
            ) from error
        group.name = name
        return group


class CommandGroup(TyperGroup):
    """Our own commands, and those of installed distributions."""

    def list_commands(self, ctx: Any) -> list[str]:
        own = super().list_commands(ctx)
        return [*own, *(name for name in self._plugins().names() if name not in own)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        plugins = self._plugins()
        if cmd_name not in plugins.names():
            return super().get_command(ctx, cmd_name)
        try:
            return plugins.load(cmd_name)
        except LookupError as error:
            return _unavailable(cmd_name, str(error))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        super().format_commands(ctx, formatter)
        plugins = self._plugins()
        for name in plugins.names():
            try:
                plugins.load(name)
            except LookupError as error:
                print(f"warning: {error}", file=sys.stderr)  # noqa: T201

    def _plugins(self) -> PluginCommands:
        return PluginCommands(entry_points(group=GROUP), super().list_commands(None))  # type: ignore[arg-type]  # not read


def _unavailable(name: str, reason: str) -> Any:
    """Make a command that only says why it is not there, whatever is asked of it."""
    stub = typer.Typer(add_completion=False)

    @stub.command(
        name,
        help="(not available)",
        add_help_option=False,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )
    def say() -> None:
        print(f"error: {reason}", file=sys.stderr)  # noqa: T201
        raise typer.Exit(2)

    return get_command(stub)


def _origin(point: EntryPoint) -> str:
    if point.dist is None:
        return point.value
    return f"{point.dist.name} {point.dist.version} ({point.value})"
