"""How to serve; what the command line says and the document does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from plano_filters.config import Loaded, load
from plano_filters.config.shapes import local_files
from plano_filters.config.unsupported import Compat
from plano_filters.server.watch import digests
from plano_filters.telemetry import Observer


class StartError(Exception):
    """The gateway could not start, although its configuration is right."""


@dataclass(slots=True)
class Options:
    """How to serve."""

    path: Path | None = None
    """The file, for reloads; None if there is none."""
    compat: Compat = "strict"
    port: int | None = None
    """Instead of the one listener's own."""
    watch: float | None = None
    """Reload when the file, or a filter file that it uses, has changed; seconds between two looks.
    None: never."""
    drain_delay: float = 0.0
    """Seconds between telling `/readyz` and closing the listeners, for load balancers."""
    announce: bool = True
    """Log where the gateway serves."""
    log_level: str = "info"
    log_format: str = "json"
    observers: Sequence[Observer] = field(default_factory=tuple)
    files: Mapping[Path, str] = field(default_factory=dict)
    """What to watch: the file, and the filter files that it named when it was last read; with the
    digests that they had then."""
    on_ready: Callable[[list[str], str | None], None] = lambda urls, admin: None
    """Called once with the URLs of the listeners and of the admin listener."""

    def load(self) -> Loaded:
        """Load the file anew.

        Raises:
            ConfigError: The file cannot be read, or is no YAML mapping.
            LookupError: There is no file.
        """
        if self.path is None:
            raise LookupError("this gateway runs without a file; there is nothing to reload")
        loaded = load(self.path, compat=self.compat)
        self.uses(loaded)
        return at_port(loaded, self.port)

    def uses(self, loaded: Loaded) -> None:
        """Watch the files that a document is made of."""
        if self.path is not None:
            found = local_files(loaded.document.filters, loaded.report.folder)
            self.files = digests([self.path, *found])


def at_port(loaded: Loaded, port: int | None) -> Loaded:
    """Move the first listener of a document to another port; None leaves it where it is."""
    if port is None:
        return loaded
    first, *others = loaded.document.listeners
    moved = (first.model_copy(update={"port": port}), *others)
    return replace(loaded, document=loaded.document.model_copy(update={"listeners": moved}))
