"""Plain data and back: nothing is lost, nothing is guessed, and each problem has its path."""

import enum
import math
from datetime import UTC, datetime, timedelta
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusmate_core.codec import DEEPEST, dumps, loads, plain, value_of
from focusmate_core.fields import Text, Whole, minutes
from focusmate_core.messages import Value, value, view
from focusmate_core.refusals import BadInput, Malformed
from focusmate_core.testing import strategies

LONGEST_SHOWN = 100


class Colour(enum.Enum):
    """An enum, by value."""

    RED = "red"
    BLUE = "blue"


@value
class Inner(Value):
    """A value within another."""

    span: Annotated[timedelta, minutes(1, 60)]
    names: tuple[Annotated[str, Text(1, 5)], ...] = ()


@value
class Outer(Value):
    """One field of each shape."""

    count: Annotated[int, Whole(0, 9)]
    inner: Inner
    flag: bool = False
    ratio: float = 0.5
    colour: Colour = Colour.RED
    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    until: datetime | None = None
    nothing: None = None
    many: tuple[Inner, ...] = ()
    roles: frozenset[str] = frozenset()
    maybe: Inner | None = None
    limit: Annotated[int, "of no rule"] = 0


RIGHT = {"count": 1, "inner": {"span": "PT25M"}}


def problems(data, cls=Outer):
    with pytest.raises(BadInput) as refused:
        value_of(data, cls)
    return {problem.field: problem.problem for problem in refused.value.fields}


@given(strategies.instances(Outer, nothing=st.none()))
def test_a_value_comes_back_from_json_as_it_was(made):
    assert value_of(loads(dumps(plain(made))), Outer) == made


def test_plain_data_is_made_of_json_kinds():
    made = value_of({**RIGHT, "many": [{"span": "PT1M", "names": ["a"]}]}, Outer)
    assert plain(made.but(roles=frozenset("ba"))) == {
        "count": 1,
        "inner": {"span": "PT25M", "names": []},
        "flag": False,
        "ratio": 0.5,
        "colour": "red",
        "at": "2026-01-01T00:00:00Z",
        "until": None,
        "nothing": None,
        "many": [{"span": "PT1M", "names": ["a"]}],
        "roles": ["a", "b"],
        "maybe": None,
        "limit": 0,
    }


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("count", "7"),
        ("count", 1.9),
        ("count", 1.0),
        ("count", True),
        ("count", None),
        ("count", 10),
        ("flag", "false"),
        ("flag", 0),
        ("ratio", "0.5"),
        ("ratio", True),
        ("colour", "green"),
        ("colour", "RED"),
        ("colour", 1),
        ("colour", ["red"]),
        ("at", "2026-01-01T00:00:00"),
        ("at", 0),
        ("until", "soon"),
        ("nothing", 0),
        ("many", {}),
        ("many", "ab"),
        ("roles", "ab"),
        ("roles", None),
        ("inner", []),
        ("inner", None),
        ("inner", "x"),
        ("limit", "1"),
    ],
)
def test_types_are_strict(field, given):
    assert list(problems({**RIGHT, field: given})) == [field]


def test_a_whole_number_is_a_number_too():
    assert value_of({**RIGHT, "ratio": 1}, Outer).ratio == 1.0


def test_what_is_missing_and_what_is_unknown_is_named():
    told = problems({"count": 1, "inner": {}, "extra": 1, "more": 2})
    assert told == {
        "inner.span": "is required",
        "extra": "is not a field of this",
        "more": "is not a field of this",
    }


def test_a_problem_deep_inside_has_its_path():
    told = problems(
        {
            "count": "1",
            "inner": {"span": "PT2H", "names": ["ok", 7, "toolong"]},
            "many": [{"span": "PT1M"}, {"span": "25", "extra": 1}],
            "maybe": {"span": "PT1M", "names": [None]},
        }
    )
    assert set(told) == {
        "count",
        "inner.span",
        "inner.names.1",
        "inner.names.2",
        "many.1.span",
        "many.1.extra",
        "maybe.names.0",
    }


@pytest.mark.parametrize("given", [None, [], "text", 7, [["count", 1]]])
def test_a_message_is_an_object(given):
    assert problems(given) == {"": "must be an object with named fields"}


def test_a_field_with_a_long_name_is_named_in_short():
    (name,) = problems({**RIGHT, "x" * 10_000: 1})
    assert len(name) <= LONGEST_SHOWN


def test_a_view_is_not_checked_when_it_is_made_but_when_it_is_read():
    @view
    class Shown(Value):
        count: int

    assert Shown(count="7").count == "7"
    assert problems({"count": "7"}, Shown) == {"count": "must be a whole number, not text"}


def test_what_a_value_refuses_as_a_whole_is_told_as_it_says():
    @value
    class Range(Value):
        low: int
        high: int

        def __attrs_post_init__(self):
            if self.low > self.high:
                raise BadInput.of("high", "must not be below low")

    @value
    class Holder(Value):
        range: Range

    assert problems({"low": 2, "high": 1}, Range) == {"high": "must not be below low"}
    told = problems({"range": {"low": 2, "high": 1}}, Holder)
    assert told == {"range.high": "must not be below low"}


# -- JSON -----------------------------------------------------------------------------------------

json_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])), inner
    ),
)  # fmt: skip


@given(json_data)
def test_plain_data_comes_back_from_json_text_and_bytes(data):
    assert loads(dumps(data)) == data
    assert loads(dumps(data).encode()) == data


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"{} {}", "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": NaN}', "NaN"),
        (b"[Infinity]", "Infinity"),
        (b"[-Infinity]", "Infinity"),
        (b"[1e999]", "too large"),
        (b'{"a": 1, "a": 1}', "«a» stands twice"),
        (b'{"o": {"a": 1, "b": 2, "a": 3}}', "«a» stands twice"),
        (b"\xff{}", "not UTF-8"),
        (b'"\xed\xa0\x80"', "not UTF-8"),
        (b'{"\\ud800": 1}', "surrogate"),
        (b'["\\udc00x"]', "surrogate"),
        (b"[" * 100_000, "deeper than 32|not JSON"),
        (b"[" * 200 + b"]" * 200, "deeper than 32"),
        (b'{"a":' * 200 + b"1" + b"}" * 200, "deeper than 32"),
        (b"1" * 5000, "not JSON"),
    ],
)
def test_what_is_no_proper_json_is_malformed(raw, problem):
    with pytest.raises(Malformed, match=problem):
        loads(raw)


def test_json_may_be_nested_as_deep_as_said_and_no_deeper():
    deepest = "[" * DEEPEST + "]" * DEEPEST
    assert dumps(loads(deepest)) == deepest
    with pytest.raises(Malformed):
        loads(f"[{deepest}]")


def test_many_brackets_side_by_side_are_not_deep():
    assert loads(dumps([[1]] * 100)) == [[1]] * 100


def test_a_whole_pair_of_surrogates_is_one_sign():
    assert loads('"\\ud83c\\udf45"') == "🍅"


def test_json_says_no_nan():
    with pytest.raises(ValueError, match="not JSON compliant"):
        dumps(math.nan)
