"""Which turns fit a router's context: a table, then laws."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.classify.routers.protocol import Role, Turn
from plano_builtin_filters.classify.routers.selection import GAP, Count, estimate, fit, trim

TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters=GAP), max_size=60),
    st.text("ae\u0301\u200d👍🏽 ", max_size=60),
)
USERS = st.builds(Turn, st.just("user"), TEXTS.filter(bool))
TURNS = st.lists(st.builds(Turn, st.sampled_from(["user", "assistant"]), TEXTS), max_size=20)
BUDGETS = st.integers(-2, 80)


def octets(text: str) -> int:
    """Count bytes: a tokenizer that knows no words."""
    return len(text.encode())


def words(text: str) -> int:
    """Count words: a tokenizer for which a cut may even save nothing."""
    return len(text.split())


def wrapped(text: str) -> int:
    """Count characters and five more, as a prompt that writes something around each turn."""
    return len(text) + 5


COUNTS = st.sampled_from([octets, words, wrapped, len, estimate])


def turns(*texts: str) -> list[Turn]:
    """Return turns, the assistant's marked with `>`."""
    role: dict[bool, Role] = {True: "assistant", False: "user"}
    return [Turn(role[text.startswith(">")], text.removeprefix(">")) for text in texts]


@pytest.mark.parametrize(
    ("given", "budget", "kept"),
    [
        (("aaaa", ">bbbb", "cccc"), 12, ["aaaa", "bbbb", "cccc"]),
        (("aaaa", ">bbbb", "cccc"), 11, ["aaa", "bbbb", "cccc"]),  # the beginning alone
        (("aaaaaaaa", ">bbbb", "cccc"), 14, ["aaa…aa", "bbbb", "cccc"]),
        (("aaaa", ">bbbb", "cccc"), 7, ["cccc"]),  # an assistant's turn is kept whole or not
        (("aaaa", ">bbbb", "cccc"), 8, ["bbbb", "cccc"]),
        (("0123456789",), 6, ["012…89"]),  # three fifths from the beginning
        (("0123456789",), 3, ["012"]),
        (("0123456789",), 0, []),
        (("aaaa", ">0123456789"), 6, ["012…89"]),  # the last turn, whoever's
        ((), 10, []),
    ],
)
def test_fit(given: tuple[str, ...], budget: int, kept: list[str]) -> None:
    """The newest turns stay whole, the next one of the user loses its middle, the rest goes."""
    assert [turn.text for turn in fit(turns(*given), budget, len)] == kept


def test_only_so_many_turns_are_kept() -> None:
    """However short, no more turns than the limit."""
    many = [Turn("user", str(n)) for n in range(20)]

    assert fit(many, 1000, len) == tuple(many[-16:])
    assert fit(many, 1000, len, limit=2) == tuple(many[-2:])
    assert fit(many, 1000, len, limit=0) == ()


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("abc", 0), ("abcd", 1), ("éééé", 2), ("👍", 1), ("\ud83d", 0)]
)
def test_estimate(text: str, tokens: int) -> None:
    """A token is four bytes of UTF-8, even where the text cannot be written in it."""
    assert estimate(text) == tokens


@pytest.mark.parametrize(
    ("text", "size", "kept"),
    [
        ("0123456789", 10, "0123456789"),
        ("0123456789", 5, "012…89"),
        ("0123456789", 2, "01"),
        ("0123456789", 0, ""),
        ("abe\u0301defghij", 5, "ab…ij"),  # an accent stays with its letter
        ("abcdefge\u0301j", 5, "abc…j"),
        ("ab👩\u200d💻defghij", 5, "ab…ij"),  # so does what a joiner joins
        ("ab👍🏽cdefghij", 5, "ab…ij"),  # and a skin tone
        ("ab\ud83d\udc4dcdefghij", 5, "ab…ij"),  # and half a surrogate pair
        ("\u0301" * 100, 50, "\u0301" * 30 + GAP + "\u0301" * 20),  # where there is no good place
    ],
)
def test_trim(text: str, size: int, kept: str) -> None:
    """The middle goes; nothing that belongs together is parted."""
    assert trim(text, size) == kept


@given(TURNS, BUDGETS, COUNTS)
def test_the_budget_holds(given: list[Turn], budget: int, count: Count) -> None:
    """Whatever the counter, what is kept never costs more than there is."""
    kept = fit(given, budget, count)

    assert sum(count(turn.text) for turn in kept) <= max(budget, 0)


@given(TURNS, BUDGETS, COUNTS)
def test_the_order_holds(given: list[Turn], budget: int, count: Count) -> None:
    """What is kept are the newest turns in their order; only the oldest of them may be shorter."""
    kept = fit(given, budget, count)
    spoken = [turn for turn in given if turn.text]

    if kept:
        newest = spoken[-len(kept) :]
        assert [turn.role for turn in kept] == [turn.role for turn in newest]
        assert list(kept[1:]) == newest[1:]
        head, _, tail = kept[0].text.partition(GAP)
        assert kept[0] == newest[0] or newest[0].text.startswith(head)
        assert kept[0] == newest[0] or newest[0].text.endswith(tail)


@given(TURNS, USERS, st.integers(80, 200), st.sampled_from([octets, wrapped, len, estimate]))
def test_the_users_last_turn_is_always_there(
    earlier: list[Turn], last: Turn, budget: int, count: Count
) -> None:
    """With room for some characters, the last turn is among those kept, however long it is."""
    long = Turn("user", last.text * 10)

    kept = fit([*earlier, long], budget, count)

    assert kept
    assert kept[-1].role == "user"
    assert kept[-1].text[:1] == long.text[:1]


@given(st.text(string.ascii_letters, min_size=1, max_size=200), st.integers(8, 100))
def test_a_trimmed_turn_fills_the_budget(letters: str, budget: int) -> None:
    """With plain letters not one character more would fit."""
    [kept] = fit([Turn("user", letters)], budget, len)

    assert len(kept.text) == min(budget, len(letters))


def test_a_huge_turn_is_not_counted_whole() -> None:
    """However long a turn is, the counter sees little more of it than the budget holds."""
    seen: list[int] = []

    def count(text: str) -> int:
        seen.append(len(text))
        return len(text) // 4

    fit([Turn("user", "word " * 200_000)], 256, count)

    assert max(seen) <= 4096
    assert all(size > 0 for size in seen)
    assert len(seen) < 20


@given(TEXTS, st.integers(0, 60))
def test_trimming_never_adds(text: str, size: int) -> None:
    """A trimmed text has at most the asked characters, and its ends are those of the text."""
    trimmed = trim(text, size)

    assert len(trimmed) <= max(size + len(GAP), 0)
    if trimmed != text:
        head, gap, tail = trimmed.partition(GAP)
        assert text.startswith(head)
        assert not gap or text.endswith(tail)
