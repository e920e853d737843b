"""Upkeep: what is due is done, and what nobody needs any more is deleted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from focusmate_core.calls import Call
from focusmate_core.deadlines import Deadline, after_fault
from focusmate_core.finding import Between, Find
from focusmate_core.idempotency import Answer
from focusmate_core.messages import SYSTEM, Message, Origin
from focusmate_core.outbox import Fresh
from focusmate_core.ports.storage import Storage, Unit
from focusmate_core.refusals import Conflict, Refusal, Unavailable
from focusmate_core.subscriptions import park_late
from focusmate_core.work import Work

Committed = Callable[[Sequence[Fresh]], None]
"""What hears of the events that were committed."""


def run_due(storage: Storage, work: Work, committed: Committed, limit: int) -> int:
    """Execute what is due, at most `limit` deadlines, in one unit of work; how many there were."""
    fresh: list[Fresh] = []
    with storage.write() as unit:
        due = unit.claim(work.now(), limit)
        for deadline in due:
            _meet(work, deadline, unit, fresh)
        if fresh:
            unit.append(fresh)
    committed(fresh)
    return len(due)


def _meet(work: Work, due: Deadline, unit: Unit, fresh: list[Fresh]) -> None:
    mark, now = len(fresh), work.now()
    try:
        with unit.savepoint():
            # What was executed just before may have moved it, or taken it away.
            for deadline in unit.claim(now, 1, due.key):
                unit.unschedule(deadline.key)
                call = Call(_understood(work, deadline), SYSTEM, Origin("worker"))
                work.carry_out(call, unit, fresh)
    except Unavailable:
        raise
    except Refusal as no:
        del fresh[mark:]
        if isinstance(no, Conflict):
            unit.schedule(after_fault(due, repr(no), now))
        else:
            unit.unschedule(due.key)
    except Exception as fault:  # noqa: BLE001  it is kept with the deadline, for an operator
        del fresh[mark:]
        unit.schedule(after_fault(due, repr(fault), now))


def _understood(work: Work, deadline: Deadline) -> Message[Any]:
    """The message of a deadline; LookupError, not a refusal, where nobody understands it."""
    try:
        return work.registry.decode_message(deadline.wire, deadline.version, deadline.data)
    except Refusal as unknown:
        msg = f"no loaded feature understands «{deadline.wire}»: {unknown}"
        raise LookupError(msg) from unknown


def sweep(
    storage: Storage, work: Work, committed: Committed, retention: timedelta, limit: int
) -> int:
    """Delete, at most `limit` of each kind, what is older than its time; how many there were."""
    now = work.now()
    fresh: list[Fresh] = []
    with storage.write() as unit:
        ctx = work.context(SYSTEM, Origin("worker"), unit, fresh)
        park_late(unit, work.registry.subscriptions, now - retention)
        swept = unit.prune(now - retention, limit)
        old = Find(Answer, where=(Between("expires_at", None, now),), limit=min(limit, 100))
        for answer in unit.find(old).items:
            swept += unit.delete(Answer, (answer.caller, answer.key))
        for sweeper in work.registry.sweepers:
            swept += sweeper(ctx, limit)
        if fresh:
            unit.append(fresh)
    committed(fresh)
    return swept
