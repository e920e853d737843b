"""Crediting: when work ends, somebody leaves, or is known to have stayed, sessions are made."""

import hashlib
import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import attrs

from focusmate_core.context import Context
from focusmate_core.features.credit import STILL, ZERO, Account, Ran, Was, account
from focusmate_core.features.days import day_of
from focusmate_core.features.people import person_stream
from focusmate_core.features.plans import Phase
from focusmate_core.features.presence import (
    Presence,
    PresenceKnown,
    PresenceLeft,
    PresencePolicy,
    Stay,
    ask_after,
    everybody_in,
    is_known,
)
from focusmate_core.features.rooms import Room
from focusmate_core.features.sessions import (
    KINDS,
    LEAST,
    Session,
    SessionCredited,
    SessionKind,
    SessionStatus,
    Work,
    told,
)
from focusmate_core.features.timer import Ending, WorkEnded, WorkPaused
from focusmate_core.features.timer_machine import Stretch, Timer
from focusmate_core.finding import Between, Find, Is, find_all
from focusmate_core.messages import reacts, view_of

# -- nouns ----------------------------------------------------------------------------------------


@attrs.frozen
class Part:
    """One person's part in a phase of work: how it ran, where they were, and are now."""

    person_id: str
    work: Work
    ran: Sequence[Ran]
    stays: Sequence[Stay]
    here: Presence | None

    @property
    def session_id(self) -> str:
        """A UUIDv7 of the phase and the person: the same whenever this is credited."""
        named = f"{self.work.room_id} {self.work.run} {self.person_id}".encode()
        since_1970 = int(self.work.began_at.timestamp() * 1000)
        made = since_1970.to_bytes(6, "big") + hashlib.sha256(named).digest()[:10]
        number = int.from_bytes(made, "big") & ~(0xF << 76) & ~(0x3 << 62)
        return str(uuid.UUID(int=number | 0x7 << 76 | 0x2 << 62))

    def asks(self, ctx: Context) -> datetime | None:
        """The end of the phase, if they came in time and may have stayed until then or not."""
        over_at = self.work.over_at
        if over_at is None or self.here is None or is_known(self.here, over_at, ctx):
            return None
        came = self.here.came
        return over_at if any(came <= each.after for each in self.ran) else None

    def account(self, until: datetime) -> Account:
        """What is theirs of it, if they were there, or are, until this instant."""
        was = [Was(each.since, each.until, each.came, each.went) for each in self.stays]
        if self.here is not None:
            was.append(Was(self.here.since, until, self.here.came, STILL))
        return account(self.ran, was)


# -- when -----------------------------------------------------------------------------------------


@reacts(to=WorkEnded)
def credit_all(fact: WorkEnded, ctx: Context) -> None:
    """A phase of work is over: everybody who was there for a part of it is credited that part."""
    _credit_everybody(view_of(Work, fact, kind=KINDS[fact.kind], over_at=ctx.at), ctx)


@reacts(to=WorkPaused)
def credit_so_far(fact: WorkPaused, ctx: Context) -> None:
    """A pause settles what was done: it counts, whether or not the phase ever goes on.

    After less than a minute it waits for more; so who pauses and resumes all the time costs little.
    """
    if fact.span >= LEAST:
        work = view_of(Work, fact, kind=KINDS[fact.kind], over_at=None, ending=None)
        _credit_everybody(work, ctx)


def _credit_everybody(work: Work, ctx: Context) -> None:
    here = {each.person_id: each for each in everybody_in(work.room_id, ctx)}
    stays = defaultdict(list)
    for stay in _stays(ctx, work, Is("room_id", work.room_id)):
        stays[stay.person_id].append(stay)
    ran = _ran(work, ctx)
    # Who left before was credited then, as far as the phase had come.
    gone = stays.keys() if work.over_at else set()
    for person_id in sorted(here.keys() | gone):
        part = Part(person_id, work, ran, stays[person_id], here.get(person_id))
        _credit(part, ctx)


@reacts(to=PresenceLeft)
def credit_who_left(fact: PresenceLeft, ctx: Context) -> None:
    """Whoever leaves is credited what they were there for, in case the phase never ends."""
    _credit_what_waits(fact.person_id, ctx)
    room, timer = ctx.store.get(Room, fact.room_id), ctx.store.get(Timer, fact.room_id)
    if room and timer and timer.began_at and timer.phase is Phase.WORK:
        kind = KINDS[timer.kind]
        work = view_of(Work, timer, kind=kind, over_at=None, ending=None)
        ran = _ran(work, ctx)
        if timer.since:
            ran.append(Ran(timer.since, max(timer.since, ctx.at), timer.moves, room.moves))
        _credit_one(fact.person_id, work, ran, ctx)


@reacts(to=PresenceKnown)
def credit_who_stayed(fact: PresenceKnown, ctx: Context) -> None:
    """It is known that somebody was there: what waited for that is credited."""
    _credit_what_waits(fact.person_id, ctx)


def _credit_what_waits(person_id: str, ctx: Context) -> None:
    where = (Is("person_id", person_id), Is("status", SessionStatus.ACTIVE))
    asked = Find(Session, where=where, order=("started_at",))
    for known in list(find_all(ctx.store, asked)):
        if known.work is not None and known.work.over_at is not None:
            _credit_one(person_id, known.work, _ran(known.work, ctx), ctx)


def _credit_one(person_id: str, work: Work, ran: Sequence[Ran], ctx: Context) -> None:
    here = ctx.store.get(Presence, person_id, hold=True)
    here = here if here and here.room_id == work.room_id else None
    stays = _stays(ctx, work, Is("person_id", person_id), Is("room_id", work.room_id))
    _credit(Part(person_id, work, ran, stays, here), ctx)


# -- what is known --------------------------------------------------------------------------------


def _ran(work: Work, ctx: Context) -> list[Ran]:
    """The stretches in which it ran, in their order."""
    where = (Is("room_id", work.room_id), Is("run", work.run))
    found = find_all(ctx.store, Find(Stretch, where=where))
    return [Ran(each.since, each.until, each.moves_before, each.moves_after) for each in found]


def _stays(ctx: Context, work: Work, *where: Is) -> list[Stay]:
    """The stays that ended since it began."""
    since = Between("went", work.first_move + 1, None)
    return list(find_all(ctx.store, Find(Stay, where=(*where, since), order=("went",))))


# -- credit ---------------------------------------------------------------------------------------


def _credit(part: Part, ctx: Context) -> None:
    """Make or bring up to date one person's session of a phase, and tell them."""
    parts, waits = _known_of(part, ctx)
    former = ctx.store.get(Session, part.session_id, hold=True)
    begun = _begun(part, parts, former, ctx)
    made = _brought_up(begun, part.work, parts, is_known=not waits)
    added = made.credited - (former.credited if former else ZERO)
    if made.credited or waits:
        if made == former:
            return
        made = ctx.store.put(made)
    elif former is not None:
        ctx.store.delete(Session, former.id)
    if made.credited or added:
        credited = SessionCredited(session=told(made), added=added)
        ctx.emit(credited, to=person_stream(part.person_id))


def _known_of(part: Part, ctx: Context) -> tuple[Account, bool]:
    """What is known to be theirs, and whether more may come to be known, which is asked for.

    It is not waited for what would be too short even if they had stayed to the end.
    """
    if part.here is None:
        return part.account(ctx.now), False
    is_leased = ctx.setting(PresencePolicy).lease is not None
    known = part.account(part.here.until if is_leased else ctx.now)
    asks = part.asks(ctx)
    if asks is None:
        return known, False
    hoped = part.account(asks)
    if hoped.credited < LEAST:
        return known, False
    ask_after(part.here, asks, ctx)
    # What is not known to be theirs is at the end, also where nothing is known yet.
    early = hoped.ran - hoped.late - hoped.away - known.credited
    return known.but(late=hoped.late, away=hoped.away, early=early), True


def _brought_up(session: Session, work: Work, parts: Account, *, is_known: bool) -> Session:
    """The session as it is with what is known now; of flowtime, what was done was planned."""
    return session.but(
        work=work,
        account=parts,
        status=_status(work, is_known=is_known),
        credited=parts.credited if parts.credited >= LEAST else ZERO,
        planned=parts.ran if work.kind is SessionKind.DEEP_WORK else work.length,
        # Where a clock was set back, the last instant may bear an earlier time than the first.
        ended_at=max(session.started_at, parts.last_at or session.ended_at),
    )


def _status(work: Work, *, is_known: bool) -> SessionStatus:
    if work.over_at is None or not is_known:
        return SessionStatus.ACTIVE
    is_over = work.ending is Ending.OVER
    return SessionStatus.COMPLETED if is_over else SessionStatus.CANCELLED


def _begun(part: Part, parts: Account, former: Session | None, ctx: Context) -> Session:
    """The session as it begins, counted for the day on which it did; that is once credited."""
    if former is not None and former.credited:
        return former
    began = parts.first_at or part.work.began_at
    day = day_of(part.person_id, began, ctx)
    if former is not None:
        return former.but(started_at=began, day=day.day, offset=day.offset)
    return Session(
        id=part.session_id,
        person_id=part.person_id,
        kind=part.work.kind,
        status=SessionStatus.ACTIVE,
        is_manual=False,
        started_at=began,
        ended_at=began,
        planned=part.work.length,
        credited=ZERO,
        day=day.day,
        offset=day.offset,
    )
