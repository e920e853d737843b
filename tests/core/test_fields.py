"""What fields take, what they say of what they do not take, and that text forms lose nothing."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Annotated

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusmate_core.fields import (
    CalendarDay,
    Day,
    Email,
    FreeForm,
    Id,
    JsonObject,
    Plain,
    Rule,
    Secret,
    Span,
    Text,
    Url,
    Username,
    Whole,
    duration,
    duration_text,
    instant,
    instant_text,
    is_optional,
    minutes,
    plain_type,
    rule_of,
)
from focusmate_core.messages import Value, value
from focusmate_core.refusals import BadInput, FieldProblem

ID = "01890a5d-ac96-774b-bcce-b302099a8057"

# -- durations ------------------------------------------------------------------------------------


@given(st.timedeltas())
def test_a_duration_comes_back_from_its_text(span):
    assert duration(duration_text(span)) == span


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("PT25M", timedelta(minutes=25)),
        ("PT0S", timedelta(0)),
        ("P1DT0.5S", timedelta(days=1, seconds=0.5)),
        ("-PT1S", timedelta(seconds=-1)),
        ("PT1H0.000001S", timedelta(hours=1, microseconds=1)),
        ("P2D", timedelta(days=2)),
    ],
)
def test_a_duration_has_one_text(text, span):
    assert (duration_text(span), duration(text)) == (text, span)


@pytest.mark.parametrize(("text", "minutes"), [("PT90M", 90), ("PT1H30M", 90), ("PT1500S", 25)])
def test_a_duration_may_be_written_in_several_ways(text, minutes):
    assert duration(text) == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    "given",
    ["", "P", "PT", "P1Y", "P1M", "P1W", "PT1", "1H", "25", "PT1M2H", "PT-1M", "PT1.5M", "pt1m",
     "PT1S ", "P1D1H", "PT٢٥M", "PT0.0000001S", 25, None, True, timedelta(1)],
)  # fmt: skip
def test_what_is_no_duration_is_refused(given):
    with pytest.raises(ValueError, match="ISO 8601"):
        duration(given)


def test_a_duration_longer_than_time_itself_is_refused():
    with pytest.raises(ValueError, match="shorter"):
        duration("P999999999DT999999999H")


# -- instants -------------------------------------------------------------------------------------


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_comes_back_from_its_text(at):
    assert instant(instant_text(at)) == at
    assert instant_text(at).endswith("Z")


@given(
    st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)),  # noqa: DTZ001  the offset follows
    st.integers(-23 * 60, 23 * 60),
)
def test_an_instant_in_any_offset_is_the_same_instant_in_utc(naive, offset):
    at = naive.replace(tzinfo=timezone(timedelta(minutes=offset)))
    read = instant(at.isoformat())
    assert (read, read.utcoffset()) == (at, timedelta(0))


@pytest.mark.parametrize(
    "given",
    ["2026-01-31T09:00:00", "2026-01-31", "now", "", "2026-01-31 09:00:00Z", "20260131T090000Z",
     "2026-01-31T09:00Z", "2026-01-31T09:00:00+0100", 1769850000, None, True],
)  # fmt: skip
def test_what_is_no_instant_is_refused_naive_ones_too(given):
    with pytest.raises(ValueError, match="RFC 3339"):
        instant(given)


@pytest.mark.parametrize(
    "given",
    ["2026-02-30T09:00:00Z", "2026-01-31T24:30:00Z", "2026-01-31T09:00:60Z",
     "0001-01-01T00:00:00+01:00", "0000-01-01T00:00:00Z", "2026-01-31T09:00:00+99:00"],
)  # fmt: skip
def test_an_instant_that_does_not_exist_is_refused(given):
    with pytest.raises(ValueError, match="exists"):
        instant(given)


def test_signs_of_an_instant_may_be_written_small():
    assert instant("2026-01-31t09:00:00.5z") == datetime(2026, 1, 31, 9, 0, 0, 500_000, UTC)


# -- rules ----------------------------------------------------------------------------------------


@value
class Form(Value):
    """One field of each kind."""

    name: Annotated[str, Text(2, 5)] = "name"
    story: Annotated[str, Text(0, 50, lines=True)] = ""
    id: Id = ID
    email: Email = "ada@example.org"
    username: Username = "ada_1-x"
    password: Annotated[str, Secret(3, 6)] = "secret"
    count: Annotated[int, Whole(-1, 3)] = 0
    span: Annotated[timedelta, minutes(1, 60)] = timedelta(minutes=25)
    flag: bool = False
    whole: int = 0
    text: str = ""
    length: timedelta = timedelta(0)
    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    maybe: Annotated[int, Whole(0, 1)] | None = None
    day: Day = "2026-01-31"


@pytest.mark.parametrize(
    ("field", "given", "kept"),
    [
        ("name", "  ab ", "ab"),
        ("name", "e\u0301te\u0301", "été"),
        ("name", "🍅🍅", "🍅🍅"),
        ("story", "one\n\ttwo", "one\n\ttwo"),
        ("id", ID.upper(), ID),
        ("password", "  a\u00a0", "  a\u00a0"),
        ("count", -1, -1),
        ("count", 3, 3),
        ("span", timedelta(minutes=1), timedelta(minutes=1)),
        ("maybe", None, None),
        ("maybe", 1, 1),
        ("day", "1970-01-01", "1970-01-01"),
        ("day", "2028-02-29", "2028-02-29"),
        ("day", "2999-12-31", "2999-12-31"),
    ],
)
def test_what_is_taken_is_kept_clean(field, given, kept):
    made = getattr(Form(**{field: given}), field)
    assert made == kept
    assert getattr(Form(**{field: made}), field) == kept


@pytest.mark.parametrize(
    ("field", "given", "asked"),
    [
        ("name", "a", "2 to 5 characters, not 1"),
        ("name", "   a   ", "not 1"),
        ("name", "abcdef", "not 6"),
        ("name", "a\nb", "U+000A"),
        ("name", "a\x00b", "U+0000"),
        ("name", "a\ud800", "U+D800"),
        ("story", "a\x07b", "U+0007"),
        ("name", 7, "must be text, not a whole number"),
        ("name", None, "must be text, not nothing"),
        ("name", ["ab"], "not list"),
        ("id", "7", "a UUID"),
        ("id", ID + "\n", "a UUID"),
        ("id", 7, "must be text"),
        ("email", "ada", "e-mail"),
        ("email", "a b@example.org", "e-mail"),
        ("email", "\ud800@example.org", "e-mail"),
        ("email", f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 63}.org", "e-mail"),
        ("username", "ab", "3 to 30"),
        ("username", "ädä", "3 to 30"),
        ("password", "ab", "3 to 6 characters"),
        ("password", "abcdefg", "3 to 6 characters"),
        ("password", "abc\x00", "control characters"),
        ("password", "abc\udc00", "control characters"),
        ("password", 123, "must be text"),
        ("count", "0", "must be a whole number, not text"),
        ("count", 0.0, "not a number"),
        ("count", True, "not true or false"),
        ("count", -2, "from -1 to 3, not -2"),
        ("count", 4, "not 4"),
        ("span", timedelta(seconds=59), "from PT1M to PT1H"),
        ("span", "PT25M", "must be a duration"),
        ("flag", "false", "must be true or false, not text"),
        ("flag", 0, "must be true or false"),
        ("whole", 1.9, "must be a whole number"),
        ("whole", True, "must be a whole number"),
        ("text", b"bytes", "must be text, not bytes"),
        ("length", 25, "must be a duration"),
        ("at", datetime(2026, 1, 1), "an instant with a time zone"),  # noqa: DTZ001  on purpose
        ("at", "2026-01-01T00:00:00Z", "an instant"),
        ("maybe", 2, "from 0 to 1"),
        ("day", "2026-02-29", "a day such as 2026-01-31, from 1970 to 2999"),
        ("day", "1969-12-31", "from 1970"),
        ("day", "3000-01-01", "to 2999"),
        ("day", "2026-1-1", "a day such as"),
        ("day", "20260101", "a day such as"),
        ("day", " 2026-01-31", "a day such as"),
        ("day", "٢٠٢٦-01-31", "a day such as"),
        ("day", date(2026, 1, 31), "must be text, not date"),
    ],
)
def test_what_is_not_taken_is_refused_saying_what_is_asked_for(field, given, asked):
    with pytest.raises(BadInput) as refused:
        Form(**{field: given})
    (problem,) = refused.value.fields
    assert problem.field == field
    assert asked in problem.problem


def test_a_secret_is_not_repeated_in_its_refusal():
    with pytest.raises(BadInput) as refused:
        Form(password="hunter2")
    assert "hunter2" not in str(refused.value)


def test_changing_a_value_checks_it_again():
    with pytest.raises(BadInput):
        Form().but(count=9)


def test_rules_say_themselves_in_json_schema():
    hints = attrs.fields_dict(Form)
    told = {
        name: rule_of(hints[name].type).schema() for name in ("name", "id", "username", "count")
    }
    assert told == {
        "name": {"type": "string", "minLength": 2, "maxLength": 5},
        "id": {
            "type": "string",
            "maxLength": 36,
            "description": "an id (a UUID)",
            "format": "uuid",
        },
        "username": {
            "type": "string",
            "maxLength": 30,
            "description": "3 to 30 letters, digits, «_» or «-»",
            "pattern": "^[A-Za-z0-9_-]{3,30}$",
        },
        "count": {"type": "integer", "minimum": -1, "maximum": 3},
    }
    assert Secret(3, 6).schema()["format"] == "password"
    assert Secret(3, 6).secret
    assert not Text().secret
    assert Span(timedelta(0), timedelta(1)).schema()["description"] == "from PT0S to P1D"
    assert CalendarDay().schema() == {"type": "string", "format": "date"}
    assert Plain(datetime).schema() == {"type": "string", "format": "date-time"}


def test_a_rule_of_ones_own_says_what_it_lacks():
    for ask in (lambda: Rule().clean(1), lambda: Rule().schema()):
        with pytest.raises(NotImplementedError):
            ask()


def test_annotations_are_seen_through():
    maybe = attrs.fields_dict(Form)["maybe"].type
    assert (rule_of(maybe), is_optional(maybe), plain_type(maybe)) == (Whole(0, 1), True, int)
    assert (rule_of(int), is_optional(int), plain_type(int)) == (None, False, int)
    assert plain_type(str | None) is str


def test_a_converter_of_ones_own_is_left_alone():
    @value
    class Folded(Value):
        name: str = attrs.field(converter=str.lower)

    assert Folded(name="ADA").name == "ada"


def test_every_field_is_checked_by_its_own_rule():
    with pytest.raises(BadInput) as refused:
        Form(count=9)
    assert refused.value.fields == (FieldProblem("count", "must be from -1 to 3, not 9"),)


# -- what has any form ----------------------------------------------------------------------------


EMPTY = {}


@value
class Loose(Value):
    """A field of any form, and an address."""

    kept: FreeForm = EMPTY
    url: Url | None = None


@pytest.mark.parametrize(
    "kept",
    [{}, {"b": 1, "a": [True, None, 1.5, {"공부": "방"}]}, {"": "\x00"}, {"a": "a" * 4088}],
)
def test_an_object_of_any_form_is_kept_as_it_is_with_its_keys_in_order(kept):
    cleaned = Loose(kept=kept).kept
    assert (cleaned, list(cleaned)) == (kept, sorted(kept))
    assert cleaned is not kept
    assert hash(Loose(kept=kept)) == hash(Loose())


@pytest.mark.parametrize(
    ("kept", "asked"),
    [
        ("{}", "a JSON object, not text"),
        ([], "a JSON object, not list"),
        (None, "a JSON object, not nothing"),
        ({"a": "a" * 4089}, "at most 4096 bytes as JSON text, not 4097"),
        ({"a": "é" * 2045}, "at most 4096 bytes as JSON text, not 4098"),
        ({"a": [[[[[[[[]]]]]]]]}, "nested deeper than 8"),
        ({"a": float("nan")}, "not finite"),
        ({"a": [10**5000]}, "thousands of digits"),
        ({"a": (1,)}, "only what JSON has"),
        ({"a": {1: 2}}, "only text as names"),
        ({"a": "\ud800"}, "half a surrogate"),
    ],
)
def test_what_is_no_such_object_is_refused(kept, asked):
    with pytest.raises(BadInput, match="kept: must") as refused:
        Loose(kept=kept)
    assert asked in refused.value.fields[0].problem


def test_the_schema_of_an_object_says_its_bounds():
    told = {
        "type": "object",
        "description": "at most 9 bytes as text, nested at most 2 levels deep",
    }
    assert JsonObject(9, 2).schema() == told


@pytest.mark.parametrize(
    "url",
    ["https://example.org", "http://a:8000/b.png?c=d#e", "https://xn--r8jz45g.jp/%E4%BE%8B"],
)
def test_a_web_address_is_taken_as_it_is(url):
    assert Loose(url=f" {url} ").url == url


@pytest.mark.parametrize(
    "url",
    ["", "example.org", "//example.org", "ftp://a.b", "javascript:alert(1)", "https://", "http:///a",
     "https://a b", "https://me@a.b", "https://a.b/é", 'https://a.b/"', "https://a.b/<", 7,
     f"https://a.b/{'a' * 500}"],
)  # fmt: skip
def test_what_is_no_web_address_is_refused(url):
    with pytest.raises(BadInput):
        Loose(url=url)
