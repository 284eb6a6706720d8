"""Which version of the API a filter may need."""

from __future__ import annotations

import pytest

from plano_filters.api import API_VERSION, misfit

MAJOR, MINOR = (int(part) for part in API_VERSION.split("."))


@pytest.mark.parametrize("wanted", [API_VERSION, f"{MAJOR}.0"])
def test_this_version_and_older_ones_fit(wanted: str) -> None:
    """What was written for an older minor version runs unchanged."""
    assert misfit(wanted) == ""


@pytest.mark.parametrize(
    ("wanted", "cure"),
    [
        (f"{MAJOR}.{MINOR + 1}", "install a newer plano-filters"),
        (f"{MAJOR + 1}.0", "install a newer plano-filters"),
        (f"{MAJOR - 1}.99", "install a newer version of the filter"),
    ],
)
def test_another_version_is_refused_with_a_cure(wanted: str, cure: str) -> None:
    """Both versions are named, and what to install."""
    found = misfit(wanted)

    assert f"needs version {wanted} of the API" in found
    assert f"has {API_VERSION}" in found
    assert found.endswith(cure)


@pytest.mark.parametrize("wanted", ["1", "1.0.0", "v1.0", "1.00", "latest", "", None, 1.0])
def test_what_is_no_version_is_refused(wanted: object) -> None:
    """Whatever stands there."""
    assert repr(wanted) in misfit(wanted)
