"""What is wrong is left out, and the rest is kept."""

from __future__ import annotations

from typing import Any

import pytest

from plano_filters.config import Report
from plano_filters.config.validate import validate


def wrong_of(tree: dict[str, Any]) -> tuple[list[str], set[tuple[str | int, ...]]]:
    report = Report()
    _, wrong = validate(tree, report)
    return [problem.message for problem in report.errors], wrong


def test_an_unknown_key_does_not_spoil_its_section() -> None:
    """The entry stands without it, and what was meant counts as missing."""
    report = Report()

    document, wrong = validate(
        {"model_providers": [{"model": "a/b", "bas_url": "x"}, {"model": "c/d"}]}, report
    )

    assert [entry.model for entry in document.model_providers] == ["a/b", "c/d"]
    assert wrong == {("model_providers", 0, "base_url")}


def test_a_wrong_value_takes_its_default() -> None:
    """So that what depends on the rest is checked in the same run."""
    document, wrong = validate({"limits": {"body": "big", "headers": 50}}, Report())

    assert (document.limits.headers, document.limits.body) == (50, 8 * 1024 * 1024)
    assert wrong == {("limits", "body")}


def test_a_section_that_cannot_be_saved_has_its_defaults() -> None:
    """It is marked, so that nothing is said about its contents."""
    document, wrong = validate({"model_providers": [{"name": "a"}], "limits": 5}, Report())

    assert document.model_providers == ()
    assert document.limits.headers == 100
    assert wrong == {("model_providers",), ("limits",)}


def test_filters_are_kept_one_by_one() -> None:
    """One that cannot be read leaves a gap, so that the others keep their places."""
    document, _ = validate({"filters": [{"use": 5}, {"use": "alias"}]}, Report())

    assert [(entry.use, entry.enabled) for entry in document.filters] == [
        ("?", False),
        ("alias", True),
    ]


def test_a_misspelt_section_counts_as_missing() -> None:
    """`model_provider` is why there are no providers."""
    assert wrong_of({"model_provider": []}) == (
        ['unknown key "model_provider"'],
        {("model_providers",)},
    )


def test_what_hides_behind_a_mistake_is_taken_out_too() -> None:
    """A policy without its word is no policy."""
    document, _ = validate(
        {
            "routing_preferences": [
                {
                    "name": "a",
                    "description": "b",
                    "models": ["c"],
                    "selection_policy": {"prefer": "x"},
                }
            ]
        },
        Report(),
    )

    assert document.routing_preferences[0].selection_policy is None


@pytest.mark.parametrize("value", [5, "text", [], {}, [[]], [{}], [5], {"a": 5}, {"a": {"b": []}}])
def test_no_shape_makes_it_fail(value: object) -> None:
    """Any value under any key is an error or a document."""
    for key in (
        "version",
        "listeners",
        "model_providers",
        "model_aliases",
        "routing_preferences",
        "model_metrics_sources",
        "routing",
        "tracing",
        "filters",
        "remote_filters",
        "middleware",
    ):
        document, _ = validate({key: value}, Report())
        assert document.version == "v0.4.0"
