"""Finding filters: by entry point, by import path, and saying who is to blame."""

from __future__ import annotations

from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from typing import ClassVar

import pytest

from plano_filters.config.problems import Report
from plano_filters.filter import Filter, FilterConfig
from plano_filters.registry import GROUP, Registry

HERE = __name__


class Good(Filter[FilterConfig]):
    """Does nothing, well."""


class NoFilter:
    pass


class Newer(Filter[FilterConfig]):
    """Needs what is not there yet."""

    api: ClassVar[str] = "1.99"


class Misnamed(Filter[FilterConfig]):
    """Says no version."""

    api: ClassVar[str] = "latest"


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, GROUP)


def registry_of(tmp_path: Path, *claims: tuple[str, str, str]) -> Registry:
    """Return a registry of installed distributions: (distribution, filter name, value)."""
    for distribution, name, value in claims:
        info = tmp_path / f"{distribution}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
        )
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {value}\n")
    found = [e for d in distributions(path=[str(tmp_path)]) for e in d.entry_points]
    return Registry(found)


def test_the_built_in_filters_are_installed() -> None:
    """They come through the same door as strangers."""
    registry = Registry.from_entry_points()

    assert {"alias", "auth", "upstream"} <= set(registry.names())
    assert {info.distribution for info in registry.describe()} >= {"plano-filters"}


def test_a_filter_is_found_by_name_and_by_import_path() -> None:
    """`use` takes an installed name or `package.module:Class`."""
    registry = Registry([point("good", f"{HERE}:Good")])

    assert registry.load("good") is Good
    assert registry.load(f"{HERE}:Good") is Good


@pytest.mark.parametrize(
    ("use", "says"),
    [
        ("god", 'did you mean "good"'),
        ("other", "installed: broken, good, none"),
        ("broken", 'filter "broken" cannot be imported: ModuleNotFoundError'),
        ("none", "is no subclass of Filter"),
        ("missing.module:X", "cannot be imported"),
        (f"{HERE}:Absent", "cannot be imported: AttributeError"),
    ],
)
def test_what_cannot_be_loaded_says_why(use: str, says: str) -> None:
    """Each way a name can fail has its own sentence."""
    registry = Registry(
        [
            point("good", f"{HERE}:Good"),
            point("broken", "no_such_module:X"),
            point("none", f"{HERE}:NoFilter"),
        ]
    )

    with pytest.raises(LookupError, match=says):
        registry.load(use)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("Newer", "it needs version 1.99 of the API, and this plano-filters has 1."),
        ("Misnamed", "its `api` must be a version such as"),
    ],
)
def test_a_filter_for_another_api_is_reported_with_its_distribution(
    tmp_path: Path, kind: str, says: str
) -> None:
    """Though nobody uses it: it would do something else than its author tested."""
    report = Report()

    registry_of(tmp_path, ("acme-filters", "guard", f"{HERE}:{kind}")).check(report)

    assert len(report.errors) == 1
    assert 'filter "guard" of acme-filters 1.0 cannot be used: ' in report.errors[0].message
    assert says in report.errors[0].message


def test_a_name_of_a_newer_api_is_missed_with_the_version(tmp_path: Path) -> None:
    """An import that fails for want of it says which version is here."""
    (tmp_path / "guard.py").write_text("from plano_filters import NotYet\n")

    with pytest.raises(LookupError, match=r"NotYet.*this plano-filters has version 1\.\d+ of the"):
        Registry().load("./guard.py:Guard", tmp_path)


def test_a_broken_plugin_is_reported_though_nobody_uses_it(tmp_path: Path) -> None:
    """A guard that quietly is not there is worse than a gateway that does not start."""
    report = Report()

    registry_of(tmp_path, ("acme-filters", "guard", "acme_missing:Guard")).check(report)

    assert len(report.errors) == 1
    assert 'filter "guard" of acme-filters 1.0 cannot be imported' in report.errors[0].message


def test_two_distributions_may_not_claim_one_name(tmp_path: Path) -> None:
    """Both are named."""
    registry = registry_of(
        tmp_path, ("acme", "guard", f"{HERE}:Good"), ("zeta", "guard", f"{HERE}:Good")
    )

    with pytest.raises(LookupError, match=r"acme 1\.0 .* and zeta 1\.0"):
        registry.load("guard")
