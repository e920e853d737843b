"""The quick way to JSON says what the codec says."""

import functools
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusmate_core import codec
from focusmate_core.features import BUNDLED
from focusmate_core.messages import Value, view
from focusmate_core.registry import Registry
from focusmate_core.testing.strategies import instances
from focusmate_falcon.answers import json_of

ANSWERS = {message.spec.answers for message in Registry(BUNDLED).messages.values()} - {type(None)}
drawn = functools.cache(instances)


@pytest.mark.parametrize("cls", sorted(ANSWERS, key=lambda cls: cls.__name__))
@given(data=st.data())
def test_an_answer_is_told_as_the_codec_tells_it(cls, data):
    answer = data.draw(drawn(cls))
    assert json_of(answer).decode() == codec.dumps(codec.plain(answer))


@view
class Odd(Value):
    """What the answers of today do not hold."""

    at: datetime
    spans: tuple[timedelta, ...]
    tags: frozenset[str]
    maybe: float | None


def test_other_zones_sets_and_what_is_not_there():
    at = datetime(2026, 1, 31, 9, tzinfo=timezone(timedelta(hours=-9)))
    for odd in (
        Odd(at=at, spans=(timedelta(days=-1), timedelta(0)), tags=frozenset("cab"), maybe=None),
        Odd(at=at.astimezone(UTC), spans=(), tags=frozenset(), maybe=0.5),
    ):
        assert json_of(odd).decode() == codec.dumps(codec.plain(odd))


def test_nothing_is_null():
    assert json.loads(json_of(None)) is None
