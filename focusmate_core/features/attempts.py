"""Attempts: how often a password may be guessed, while no stranger can lock anybody out."""

import math
from datetime import timedelta
from typing import NamedTuple

import attrs

from focusmate_core.context import Preparation
from focusmate_core.networks import network
from focusmate_core.ports.limits import Limits, Rate
from focusmate_core.refusals import TooOften

_TEN = Rate(10, timedelta(minutes=15))
_FIFTY = Rate(50, timedelta(hours=1))
_HUNDRED = Rate(100, timedelta(minutes=15))
_HUNDRED_AN_HOUR = Rate(100, timedelta(hours=1))


@attrs.frozen
class AttemptPolicy:
    """How many wrong passwords there may be: a setting, given to the engine among its ports."""

    here: Rate = _TEN
    """Of one account from one address: room for slips, and less than a thousand guesses a day."""
    elsewhere: Rate = _FIFTY
    """Of one account from all addresses that it was not signed in to from."""
    address: Rate = _HUNDRED
    """Of all accounts from one address: a class that signs in for the first time behind one."""
    accounts: Rate | None = _HUNDRED_AN_HOUR
    """How many may be opened, or tried for, from one address: a class does so in one lesson.
    None for any number."""


class Count(NamedTuple):
    """One count that an attempt is in: a limit, its rate, and of what."""

    limit: str
    rate: Rate
    key: str


Counts = tuple[Count, ...]


def guesses(who: str, *, is_known: bool, device: str, ctx: Preparation) -> Counts:
    """The counts of a guess as this login from the call's address, known to the account or not.

    `who` is what was typed, as it is compared, so that there need be no such account; `device` is
    one that the account was signed in to on, or empty. Where there is no address (Python, a local
    socket) nothing is counted.
    """
    where, policy = network(ctx.origin.address), ctx.setting(AttemptPolicy)
    if not where:
        return ()
    if device:
        return (Count("sign_in.device", policy.here, device),)
    here = Count("sign_in.here", policy.here, f"{where} {who}")
    if is_known:
        return (here,)
    elsewhere = Count("sign_in.elsewhere", policy.elsewhere, who)
    return here, elsewhere, Count("sign_in.address", policy.address, where)


def guesses_inside(ctx: Preparation) -> Counts:
    """The counts of a guess by who is signed in; each sign-in has its own.

    So whoever stole one can keep its owner, who signs in anew, from nothing.
    """
    rate = ctx.setting(AttemptPolicy).here
    return (Count("password.inside", rate, ctx.actor.sign_in or ctx.actor.id),)


def look(counts: Counts, ctx: Preparation) -> None:
    """Refuses `TooOften` when one of the counts is full; counts nothing."""
    limits = ctx.port(Limits)
    found = [limits.look(*each) for each in counts]
    waits = [allowed.wait for allowed in found if not allowed.left]
    if waits:
        raise TooOften(retry_after=max(1, math.ceil(max(waits).total_seconds())))


def count(counts: Counts, ctx: Preparation) -> None:
    """One more was wrong."""
    for each in counts:
        ctx.port(Limits).take(*each)


def forgive(counts: Counts, ctx: Preparation) -> None:
    """One was right, so what was counted of this account from this address is forgotten."""
    for each in counts[:1]:
        ctx.port(Limits).clear(*each)


def count_account(ctx: Preparation) -> None:
    """One more account is tried to be opened; refuses `TooOften`."""
    where, rate = network(ctx.origin.address), ctx.setting(AttemptPolicy).accounts
    if where and rate is not None:
        counts = (Count("register.address", rate, where),)
        look(counts, ctx)
        count(counts, ctx)
