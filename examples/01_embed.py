"""Embed the library: a room and its timer in ten lines; no server, no thread, no event loop."""

from focusmate_core import Actor, Engine
from focusmate_core.features import BUNDLED, rooms, timer_control
from focusmate_sqlalchemy import SqlStorage
from focusmate_system import RandomIds, SystemClock

storage = SqlStorage("sqlite:///focus.db")
engine = Engine(storage, features=BUNDLED, clock=SystemClock(), ids=RandomIds())
ada = Actor(id="ada")
room = engine.execute(rooms.OpenRoom(name="Library"), actor=ada)
timer = engine.execute(timer_control.StartTimer(room_id=room.id), actor=ada)
print(timer.phase.value, "until", timer.ends_at)
engine.run_due()  # whenever you like: the phase ends at its own instant all the same
