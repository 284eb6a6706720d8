"""What is found in a text, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_filters_pii_redact.finding import Finder, luhn

FINDER = Finder(("EMAIL", "PHONE", "CARD"), {"EMPLOYEE": r"\bE-\d{6}\b"})


def found(text: str) -> list[tuple[str, str]]:
    """Return kind and text of what is found."""
    return [(one.kind, text[one.start : one.end]) for one in FINDER.find(text)]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("write to ann.lee+x@mail.example.co.uk.", "EMAIL", "ann.lee+x@mail.example.co.uk"),
        ("<jürgen@exämple.de>", "EMAIL", "jürgen@exämple.de"),
        ("call +49 (30) 901820-12 now", "PHONE", "+49 (30) 901820-12"),
        ("call 0044 20 7946 0958 now", "PHONE", "0044 20 7946 0958"),
        ("call (415) 555-2671.", "PHONE", "(415) 555-2671"),
        ("415-555-2671", "PHONE", "415-555-2671"),
        ("card 4111 1111 1111 1111 12/27 cvc 123", "CARD", "4111 1111 1111 1111"),
        ("card 378282246310005", "CARD", "378282246310005"),
        ("order 1234 5555-5555-5555-4444", "CARD", "5555-5555-5555-4444"),
        ("5105105105105100", "CARD", "5105105105105100"),
        ("ask E-123456", "EMPLOYEE", "E-123456"),
    ],
)
def test_it_is_found(text: str, kind: str, value: str) -> None:
    """In the middle of a sentence, to its last character."""
    assert found(text) == [(kind, value)]


@pytest.mark.parametrize(
    "text",
    [
        "a @ b.com, @mention, user@localhost",
        "version 1.2.3-4567, 192.168.100.200, 2026-11-28 17:24:17",
        "4111 1111 1111 1112",
        "41111111111111111111111111111111",
        "12345678901234",
        "3.14159265358979",
        "2**64 = 18446744073709551616",
        "E-1234567",
    ],
)
def test_it_is_left_alone(text: str) -> None:
    """Numbers and names that are nobody's data."""
    assert found(text) == []


def test_several_stand_side_by_side() -> None:
    """In the order of the text, none inside another."""
    text = "a@b.example 4111111111111111 +4930901820 a@b.example"

    assert [kind for kind, _ in found(text)] == ["EMAIL", "CARD", "PHONE", "EMAIL"]


@given(st.text(alphabet="0123456789", min_size=12, max_size=18))
def test_every_number_has_one_check_digit(digits: str) -> None:
    """Of ten last digits, Luhn's check accepts one."""
    assert sum(luhn(f"{digits}{last}") for last in range(10)) == 1


@given(st.text(alphabet="a@.+0(19 -", max_size=200))
def test_what_is_found_lies_in_the_text_and_apart(text: str) -> None:
    """Whatever the text, in order, without overlap, and never empty."""
    spans = [(one.start, one.end) for one in FINDER.find(text)]
    borders = [border for span in spans for border in span]

    assert borders == sorted(borders)
    assert all(start < end for start, end in spans)
