"""The input of a custom tool, read out of JSON that arrives in pieces."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_filters.translation.custom import CustomInput, whole_input


@given(st.text(max_size=20), st.booleans(), st.data())
def test_the_input_of_a_custom_tool_arrives_however_it_is_cut(
    text: str, ascii_only: bool, data: st.DataObject
) -> None:
    """A text in JSON is read while it arrives, through escapes and pairs that are cut in two."""
    whole = json.dumps({"input": text}, ensure_ascii=ascii_only)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=9)))
    reader = CustomInput()

    read = [reader.feed(whole[a:b]) for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]

    assert "".join(read) + reader.end() == text


@given(st.lists(st.text(max_size=9), max_size=9))
def test_no_input_of_a_custom_tool_makes_it_fail(fed: list[str]) -> None:
    """A model may write anything."""
    reader = CustomInput()

    for piece in ['{"input": "', *fed]:
        assert isinstance(reader.feed(piece), str)
    assert isinstance(reader.end(), str)


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (['{"input": "a\\ud83d', '\\ude00b"}'], "a\N{GRINNING FACE}b"),
        (['{"input": "a\\ud83d', 'b"}'], "a\ud83db"),
        (['{"input": "a\\ud83d', '"}'], "a\ud83d"),
        (['{"input": "a\\ud83d\\', 'nb"}'], "a\ud83d\nb"),
        (['{"input": "a\tb"}'], "a\tb"),
        (['{"input": "a", "more": "b"}'], "a"),
        (['{"input": "a"', ', "more": ', '"b"}'], "a"),
        (['{"input": "a'], "a"),
        (["no JSON"], "no JSON"),
        (['{"more": 1, ', '"input": "a"}'], "a"),
        (['{"input": 1}'], '{"input":1}'),
        (['{"input": "a\\qb\\n"}'], "a\\qb\n"),
        (['{"input": "a\\u0', '0zb"}'], "a\\u00zb"),
        (['{"input": "\\\\ud83d', 'b"}'], "\\ud83db"),
        (['{"input": "\\ud83d\\uzb"}'], "\ud83d\\uzb"),
    ],
)
def test_odd_inputs_of_a_custom_tool(pieces: list[str], expected: str) -> None:
    """Halves of pairs, control characters and what is no JSON arrive as far as they can be read."""
    reader = CustomInput()

    assert "".join(map(reader.feed, pieces)) + reader.end() == expected


@given(
    st.lists(
        st.sampled_from(["a", "\\", "\\n", "\\q", "\\u", "\\ud83d", "\\ude00", "0", '"']),
        max_size=8,
    )
)
def test_the_pieces_make_no_difference(fed: list[str]) -> None:
    """Escapes that JSON does not have arrive too, and the same however they are cut."""
    whole = '{"input": "' + "".join(fed) + '"}'
    reader = CustomInput()

    assert "".join(map(reader.feed, whole)) + reader.end() == whole_input(whole)
