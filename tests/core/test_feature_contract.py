"""The bundled features and the sample keep the laws of features, and the laws see who does not."""

from datetime import datetime, timedelta
from types import ModuleType

import pytest
from hypothesis import Phase
from hypothesis import strategies as st

from focusmate_core import (
    Access,
    Command,
    Context,
    Entity,
    Event,
    Query,
    QueryContext,
    Value,
    applies,
    command,
    entity,
    event,
    handler,
    query,
    snapshot,
    view,
    watches,
)
from focusmate_core.features import BUNDLED
from focusmate_core.features.presence import PresencePolicy
from focusmate_core.features.seats import NotInRoom
from focusmate_core.testing.clock import START
from focusmate_core.testing.conformance.feature import (
    FeatureContract,
    FeatureMachine,
    LateMachine,
    run_history,
)
from focusmate_core.testing.conformance.histories import Recipe
from focusmate_core.testing.ports import fake_ports
from tests.core import sample
from tests.core.conftest import Hydraulic, Loaded
from tests.core.sample import Die, Press

NAMES = ("ada", "Bob", "cleo")
PASSWORDS = st.sampled_from(["correct horse", "correct horse", "wrong horse"])
days = st.integers(-2, 2).map(lambda days: (START + timedelta(days=days)).date().isoformat())
instants = st.timedeltas(timedelta(hours=-9), timedelta(hours=9)).map(lambda span: START + span)


class TestBundledFeatures(FeatureContract):
    @pytest.fixture
    def features(self):
        return BUNDLED

    @pytest.fixture
    def values(self):
        return {
            "username": st.sampled_from(NAMES),
            "email": st.sampled_from(NAMES).map("{}@example.org".format),
            "login": st.sampled_from([*NAMES, "ada@example.org"]),
            "password": PASSWORDS,
            "capacity": st.none() | st.integers(2, 3),
            "time_zone": st.sampled_from(["Asia/Tokyo", "America/St_Johns", "Mars/Olympus"]),
            "day": days,
            "first": days,
            "last": days,
            "started_at": instants,
            "starts_at": instants,
            "words": st.sampled_from([*NAMES, "library"]),
            "shows": st.none() | st.sampled_from([frozenset(), frozenset({"focused"})]),
            "revision": st.none() | st.integers(1, 3),
        }


class TestBundledFeaturesWithALease(TestBundledFeatures):
    """The same features where presences lapse."""

    @pytest.fixture
    def ports(self):
        policy = PresencePolicy(lease=timedelta(seconds=60))
        return {**fake_ports(), PresencePolicy: policy}


class TestSampleFeature(FeatureContract):
    @pytest.fixture
    def features(self):
        return (sample,)

    @pytest.fixture
    def ports(self):
        return {Press: Hydraulic(), Die: Loaded()}

    @pytest.fixture
    def values(self):
        tallies = [f"01890a5d-ac96-774b-bcce-0000000001{n:02}" for n in range(3)]
        return {
            "tally_id": st.sampled_from(tallies),
            "way": st.sampled_from(["", "refuse"]),
            "by": st.integers(1, 7),
            "text": st.sampled_from(["lemon", "stone"]),
        }

    def test_a_deadline_met_late_is_as_good_as_met_on_time(self, recipe):
        """It is not: no settler of the sample looks at what rings."""
        assert "late" in broken(LateMachine, recipe)


# -- the laws see who breaks them -----------------------------------------------------------------


def broken(machine, recipe):
    """What a law says of features that break it."""
    with pytest.raises(AssertionError) as said:
        run_history(machine, recipe, phases=[Phase.generate], max_examples=100)
    return str(said.value)


@entity("lamps")
class Lamp(Entity):
    """What may be on."""

    id: str
    is_on: bool
    guests: frozenset[str] = frozenset()
    version: int = 0


@event("lamps.switched", ends_watching="by")
class Switched(Event):
    """Somebody switched it, and may not watch it afterwards."""

    is_on: bool
    by: str


@view
class Seen(Value):
    """A lamp as seen."""

    is_on: bool


@command("lamps.switch")
class Switch(Command[Seen]):
    """Switch the one lamp."""

    is_on: bool


@query("lamps.glow")
class Glow(Query[bool]):
    """Whether it glows."""


@query("lamps.afterglow", lags=True)
class Afterglow(Query[bool]):
    """Whether it is known to glow."""


@command("lamps.flicker", access=Access.SYSTEM)
class Flicker(Command[None]):
    """By itself."""


def lamps(flaw=""):  # noqa: C901  a feature in one function, so that each has its own flaw
    """A feature of one lamp, with one flaw at most."""
    feature = ModuleType("lamps")

    @handler
    def switch(ask: Switch, ctx: Context) -> Seen:
        if flaw == "fault":
            raise AssertionError("a fault")
        lamp = ctx.store.get(Lamp, "1") or Lamp(id="1", is_on=False)
        ctx.store.put(lamp.but(is_on=ask.is_on, guests=lamp.guests | {ctx.actor.id}))
        if flaw != "silent" or ask.is_on:
            ctx.emit(Switched(is_on=ask.is_on, by=ctx.actor.id), to="lamp:1")
        ctx.schedule("flicker", ctx.now, Flicker())
        return Seen(is_on="yes" if flaw == "wrong answer" else ask.is_on)

    @handler
    def flicker(ask: Flicker, ctx: Context) -> None:
        if flaw == "endless":
            ctx.schedule("flicker", ctx.now, ask)
        if flaw == "multiplying":
            ctx.schedule(ctx.new_id(), ctx.now, ask)
        if flaw in {"tardy", "lagging"} and ctx.store.get(Lamp, "glow") is None:
            ctx.store.put(Lamp(id="glow", is_on=True))
        if flaw == "faulty deadline":
            raise RuntimeError("the bulb")

    asked = {"tardy": Glow, "lagging": Afterglow}.get(flaw)

    def glow(_: Query[bool], ctx: QueryContext) -> bool:
        return ctx.store.get(Lamp, "glow") is not None

    @snapshot("lamp", "light")
    def light(lamp_id: str, ctx: QueryContext) -> object:
        lamp = ctx.store.get(Lamp, lamp_id)
        return (bool(lamp and lamp.is_on), ctx.now if flaw == "stale" else None)

    @applies(Switched, part="light")
    def lit(part: object, fact: Switched, at: datetime) -> object:
        return part if flaw == "forgetful" else (fact.is_on, part[1])

    @watches("lamp")
    def not_twice(lamp_id: str, ctx: QueryContext) -> None:
        lamp = ctx.store.get(Lamp, lamp_id)
        if flaw != "curious" and lamp and ctx.actor.id in lamp.guests:
            raise NotInRoom

    things = [Lamp, Switched, Seen, Switch, Flicker, switch, flicker, light, lit, not_twice]
    if asked is not None:
        glow.__annotations__["_"] = asked
        things += [asked, handler(glow)]
    for thing in things:
        setattr(feature, thing.__name__, thing)
        thing.__module__ = "lamps"
    return Recipe([feature], {}, {})


class TestFlawlessFeature(FeatureContract):
    @pytest.fixture
    def features(self):
        return lamps().features


@pytest.mark.parametrize(
    ("flaw", "said"),
    [
        ("forgetful", "snapshot + events ≠ snapshot of «lamp:1»"),
        ("silent", "snapshot + events ≠ snapshot of «lamp:1»"),
        ("stale", "a snapshot goes stale"),
        ("curious", "«lamps.switched» did not end the watching of «lamp:1»"),
        ("wrong answer", "the answer does not come back"),
        ("fault", "a fault"),
        ("endless", "the deadline «flicker» was met and is still due"),
        ("multiplying", "deadlines come due for ever"),
        ("faulty deadline", "bulb"),
    ],
)
def test_the_laws_see_a_flaw(flaw, said):
    assert said in broken(FeatureMachine, lamps(flaw))


def test_a_query_shows_by_what_is_due_and_was_not_met_that_it_lags():
    assert "who asks can tell" in broken(LateMachine, lamps("tardy"))


def test_a_query_that_says_that_it_lags_may():
    run_history(LateMachine, lamps("lagging"))
