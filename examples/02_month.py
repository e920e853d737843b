"""A month of focus in less than a second: two people, a clock that is told to move, every minute.

For whoever embeds the library and wants to simulate, test, or try a plan out, and wait for nothing.
"""

import sys
import time
from datetime import timedelta

from focusmate_core import Actor, Engine
from focusmate_core.features import BUNDLED, records, rooms, seats, stats, timer_control
from focusmate_core.features.credit import span_text
from focusmate_core.features.plans import Plan
from focusmate_core.testing.clock import FakeClock
from focusmate_core.testing.ids import SequentialIds
from focusmate_core.testing.memory import MemoryStorage

began = time.perf_counter()
clock = FakeClock()  # stands at 9:00 on 5 January 2026, until it is told to move
engine = Engine(MemoryStorage(), features=BUNDLED, clock=clock, ids=SequentialIds())
ada, ben = Actor(id="ada"), Actor(id="ben")

plan = Plan(auto_start_breaks=True, auto_start_work=True)  # 25 and 5 minutes, 15 after the fourth
room = engine.execute(rooms.OpenRoom(name="Library", plan=plan), actor=ada)

for day in range(30):
    engine.execute(seats.JoinRoom(room_id=room.id), actor=ada)
    engine.execute(timer_control.StartTimer(room_id=room.id), actor=ada)
    clock.advance(minutes=day)  # every day Ben is a minute later than the day before
    engine.execute(seats.JoinRoom(room_id=room.id), actor=ben)
    clock.advance(minutes=70 - day)  # in the third pomodoro he has to go
    engine.execute(seats.LeaveRoom(room_id=room.id), actor=ben)
    clock.advance(minutes=50)  # Ada leaves in the long break; it ends, and nothing starts
    engine.execute(seats.LeaveRoom(room_id=room.id), actor=ada)
    clock.advance(hours=22)
    engine.run_due()  # what a worker does; nothing would be different if it ran every second

for actor in (ada, ben):
    month = engine.execute(stats.DaysOf(first="2026-01-01", last="2026-02-28"), actor=actor)
    print(f"{actor.id}: {span_text(month.focused)} in {month.sessions} sessions")
    for total in month.days[7::14]:
        print(f"  {total.day}  {span_text(total.focused)}")
        of_the_day = records.SessionHistory(first=total.day, last=total.day)
        for session in reversed(engine.execute(of_the_day, actor=actor).items):
            print(f"    {session.started_at:%H:%M}  {session.why}")
    mended = engine.execute(stats.RecountDays(), actor=actor).mended
    print(f"  counted again from the sessions: {mended} of {len(month.days)} days were wrong")

took = timedelta(seconds=time.perf_counter() - began)
print(
    f"{clock.now() - timedelta(days=30):%d %b} to {clock.now():%d %b} took {took}", file=sys.stderr
)
