"""Credit: how much of a phase somebody was there for, and why it is not all of it; pure functions.

Credited is the overlap of a person's presence with the stretches in which the phase ran. A stay
and a stretch overlap only if they did in the order in which things happened, which is counted in
moves: so a clock that is set back lets nobody be where they were not.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain

import attrs

from focusmate_core.messages import Value, view

ZERO = timedelta(0)
HALF_A_SECOND = timedelta(milliseconds=500)
STILL = 2**62
"""The moves of whoever did not go, and of a stretch that has not ended."""


@attrs.frozen
class Ran:
    """A stretch in which the phase ran; `before` and `after` are the room's moves then."""

    since: datetime
    until: datetime
    before: int
    after: int


@attrs.frozen
class Was:
    """A span in which somebody was in the room; `came` and `went` are the room's moves then."""

    since: datetime
    until: datetime
    came: int
    went: int


@view
class Account(Value):
    """How the time of a phase adds up: `ran` is `credited`, `late`, `away` and `early` together."""

    ran: timedelta
    """How long the phase ran."""
    credited: timedelta
    late: timedelta
    """What had run before they came."""
    away: timedelta
    """What ran while they were away."""
    early: timedelta
    """What ran after they went."""
    first_at: datetime | None
    last_at: datetime | None
    """The first and the last instant that is credited."""


def account(ran: Sequence[Ran], was: Iterable[Was]) -> Account:
    """What one person is credited of the stretches of one phase, given in their order."""
    stays, total = tuple(was), _length(ran)
    found = enumerate(tuple(_pieces(each, stays)) for each in ran)
    attended = {number: pieces for number, pieces in found if pieces}
    if not attended:
        return Account(
            ran=total, credited=ZERO, late=total, away=ZERO, early=ZERO, first_at=None, last_at=None
        )
    first, last = min(attended), max(attended)
    first_at, last_at = attended[first][0][0], attended[last][-1][1]
    late = _length(ran[:first]) + (first_at - ran[first].since)
    early = _length(ran[last + 1 :]) + (ran[last].until - last_at)
    pieces = chain.from_iterable(attended.values())
    credited = sum((until - since for since, until in pieces), ZERO)
    return Account(
        ran=total,
        credited=credited,
        late=late,
        away=total - credited - late - early,
        early=early,
        first_at=first_at,
        last_at=last_at,
    )


def _length(ran: Iterable[Ran]) -> timedelta:
    return sum((each.until - each.since for each in ran), ZERO)


def _pieces(ran: Ran, stays: Iterable[Was]) -> Iterator[tuple[datetime, datetime]]:
    """What somebody was there for of a stretch, in order.

    No instant is in it twice, though a clock that is set back lets somebody stay through it twice.
    """
    reached = ran.since
    for since, until in sorted(filter(None, (_overlap(ran, stay) for stay in stays))):
        if until > reached:
            yield max(since, reached), until
            reached = until


def _overlap(ran: Ran, was: Was) -> tuple[datetime, datetime] | None:
    if was.came > ran.after or was.went <= ran.before:
        return None
    since, until = max(ran.since, was.since), min(ran.until, was.until)
    return (since, until) if since < until else None


def span_text(span: timedelta) -> str:
    """A span as people say it: `7 min`, `1 h 5 min`, `90 s` as `1 min 30 s`; to the second."""
    seconds = (span + HALF_A_SECOND) // timedelta(seconds=1)
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = ((hours, "h"), (minutes, "min"), (seconds, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"


def part_text(part: timedelta, whole: timedelta) -> str:
    """A part of a whole: `18 of 25 min`; `25 min` where it is all of it."""
    said, of = span_text(part), span_text(whole)
    if said == of:
        return said
    number, _, unit = said.partition(" ")
    is_short = of.count(" ") == 1 and of.endswith(f" {unit}")
    return f"{number} of {of}" if is_short else f"{said} of {of}"
