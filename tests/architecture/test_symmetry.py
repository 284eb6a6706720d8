"""One name everywhere: folder, entry point, example, tests, class."""

from __future__ import annotations

import tomllib
from importlib.metadata import entry_points

from tests.architecture.sources import BUILTINS, ROOT, shown

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DECLARED: dict[str, str] = PROJECT["project"]["entry-points"]["plano_filters.filters"]


def folders(parent: str) -> set[str]:
    """Return the names of the folders with something in them."""
    return {
        path.name
        for path in (ROOT / parent).iterdir()
        if path.is_dir() and any(path.glob("*.*")) and not path.name.startswith(("_", "."))
    }


def test_four_sets_of_names_are_one() -> None:
    """Folders, entry points, example configs and test folders have the same names."""
    examples = {path.stem for path in (ROOT / "configs" / "filters").glob("*.yaml")}

    assert folders("filters/plano_builtin_filters") == set(DECLARED)
    assert examples == set(DECLARED)
    assert folders("tests/filters") == set(DECLARED)


def test_the_class_has_the_folders_name() -> None:
    """`rate_limit` is `RateLimit` with `RateLimitConfig`."""
    for name, target in DECLARED.items():
        camel = "".join(part.capitalize() for part in name.split("_"))
        assert target == f"plano_builtin_filters.{name}:{camel}"
        config = (BUILTINS / name / "config.py").read_text(encoding="utf-8")
        assert f"class {camel}Config(FilterConfig):" in config


def test_a_filters_folder_has_its_files() -> None:
    """Each has a config, a pure core, the hooks and a README, and a test of each."""
    missing = [
        shown(path)
        for name in DECLARED
        for path in (
            *(BUILTINS / name / file for file in
              ("__init__.py", "config.py", "core.py", "filter.py", "README.md")),
            *(ROOT / "tests" / "filters" / name / f"test_{part}.py" for part in
              ("config", "core", "filter")),
        )
        if not path.is_file()
    ]  # fmt: skip

    assert missing == []


def test_what_is_installed_is_what_is_declared() -> None:
    """The environment is not older than pyproject.toml; else install the project again."""
    ours = [p for p in entry_points(group="plano_filters.filters") if p.dist is not None]
    installed = {
        p.name: p.value for p in ours if p.dist and p.dist.name == PROJECT["project"]["name"]
    }

    assert installed == DECLARED
