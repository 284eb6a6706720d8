"""Editing JSON as bytes: what was edited changes, everything else stays."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_filters import jsonbody
from plano_filters.errors import BadRequest, InvalidJSON

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(max_size=8), JSON_VALUES, max_size=6)


@pytest.mark.parametrize(
    ("body", "changes", "removed", "expected"),
    [
        (b'{"model":"a"}', {"model": "b"}, (), b'{"model":"b"}'),
        (b'{ "model" : "a" , "n": 1 }', {"model": "b"}, (), b'{ "model" : "b" , "n": 1 }'),
        (
            b'{"a":{"model":"x"},"model":"y"}',
            {"model": "z"},
            (),
            b'{"a":{"model":"x"},"model":"z"}',
        ),
        (b'{"a":1}', {"b": [1, 2]}, (), b'{"a":1,"b":[1,2]}'),
        (b"{}", {"b": None}, (), b'{"b":null}'),
        (b'{"a":1,"b":2,"c":3}', {}, ("a",), b'{"b":2,"c":3}'),
        (b'{"a":1,"b":2,"c":3}', {}, ("b",), b'{"a":1,"c":3}'),
        (b'{"a":1,"b":2,"c":3}', {}, ("c",), b'{"a":1,"b":2}'),
        (b'{"a":1,"b":2,"c":3}', {}, ("a", "b", "c"), b"{}"),
        (b'{"a":1,"b":2,"c":3}', {}, ("a", "c"), b'{"b":2}'),
        (
            b'{"n":123456789012345678901234567890,"f":1.10}',
            {"m": 1},
            (),
            b'{"n":123456789012345678901234567890,"f":1.10,"m":1}',
        ),
        (
            b'{"s":"br{ace, \\" [","model":"a"}',
            {"model": "b"},
            (),
            b'{"s":"br{ace, \\" [","model":"b"}',
        ),
        (b'{"mod\\u0065l":"a"}', {"model": "b"}, (), b'{"mod\\u0065l":"b"}'),
        ('{"ü":"é","model":"a"}'.encode(), {"model": "b"}, (), '{"ü":"é","model":"b"}'.encode()),
    ],
)
def test_only_the_edited_bytes_change(
    body: bytes, changes: dict[str, object], removed: tuple[str, ...], expected: bytes
) -> None:
    """An edit replaces the bytes of the named fields and no others."""
    assert jsonbody.edit(body, changes, frozenset(removed)) == expected


@given(OBJECTS, st.dictionaries(st.text(max_size=8), JSON_VALUES, max_size=3), st.integers(0, 4))
def test_an_edit_means_what_a_dict_update_means(
    before: dict[str, object], changes: dict[str, object], indent: int
) -> None:
    """Decoding an edited body gives the edited object, whatever the layout."""
    body = json.dumps(before, indent=indent or None, ensure_ascii=bool(indent % 2)).encode(
        "utf-8", "surrogatepass"
    )

    edited = jsonbody.edit(body, changes)

    assert json.loads(edited.decode("utf-8", "surrogatepass")) == before | changes


@given(OBJECTS, st.data())
def test_a_removal_means_what_a_dict_without_it_means(
    before: dict[str, object], data: st.DataObject
) -> None:
    """Removing fields leaves valid JSON without them."""
    gone = data.draw(st.sets(st.sampled_from(sorted(before)))) if before else set()
    body = json.dumps(before, indent=1).encode()

    edited = jsonbody.edit(body, {}, frozenset(gone))

    assert json.loads(edited) == {name: v for name, v in before.items() if name not in gone}


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"a","model":"b"}',
        b'{"stream":1,"x":0,"stream":2}',
        b'{"model":"a","mod\\u0065l":"b"}',
        b'{"\\u006dodel":"a","mod\\u0065l":"b"}',
        b'\xef\xbb\xbf{"messages":[],"messages":[{}]}',
    ],
)
def test_a_field_that_decides_the_routing_may_not_appear_twice(body: bytes) -> None:
    """We would read the last, a provider might read the first: refused, edited or not."""
    with pytest.raises(BadRequest, match="appears twice"):
        jsonbody.edit(body, {"other": 1})
    with pytest.raises(BadRequest, match="appears twice"):
        jsonbody.decode(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"a","tools":[{"model":1,"input":{}},{"input":{}}]}',
        b'{"model":"model","input":"\\u0041 \\"model\\":"}',
    ],
)
def test_the_same_word_further_in_is_no_second_field(body: bytes) -> None:
    """Only the outermost object decides."""
    assert jsonbody.decode(body) == json.loads(body)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": NaN}', None),
        (b'{"a": 123456789012345678901234567890}', None),
        (b'{"a": "\\ud83d"}', {"a": "\ud83d"}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
    ],
)
def test_what_lenient_clients_send_is_read(body: bytes, value: object) -> None:
    """NaN, huge integers, lone surrogates and a byte order mark do not make a request invalid."""
    decoded = jsonbody.decode(body)

    assert value is None or decoded == value


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "not valid JSON at line 1 column"),
        (b'{"a": }', "line 1 column"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[1]", "not an array"),
        (b'"text"', "not a string"),
        (b"3", "not a number"),
        (b"true", "not a boolean"),
        (b"null", "not null"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "nested deeper than 64"),
        (b"[" * 100_000, "nested deeper than 64"),
    ],
)
def test_a_refusal_says_what_is_wrong(body: bytes, says: str) -> None:
    """Each kind of unusable body has its own sentence."""
    with pytest.raises(BadRequest, match=says):
        jsonbody.decode(body)


def test_brackets_in_strings_are_no_depth() -> None:
    """Only real nesting counts towards the limit."""
    assert jsonbody.decode(json.dumps({"a": "[{" * 500}).encode())


@given(st.binary(max_size=200))
def test_any_bytes_give_an_object_or_a_refusal(body: bytes) -> None:
    """No input makes the decoder fail in a way nobody expects."""
    with contextlib.suppress(BadRequest, InvalidJSON):
        assert isinstance(jsonbody.decode(body), dict)
