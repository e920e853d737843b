"""Who may do what, asked through every door: the table of access holds at each of them."""

from __future__ import annotations

import pytest

from focusmate_core import codec
from focusmate_core.testing.conformance.door import REGISTRY, WIRES
from tests.features.test_access import NAMES, TABLE, WHO, Scene
from tests.features.town import Town
from tests.laws.doors import all_doors

OUTSIDE = ("nobody", *(who for who in WHO if who in NAMES))
"""All who come through a door; the library itself does not."""
DOORS = ("python", "http by route", "web socket")


@pytest.mark.parametrize("wire", WIRES)
def test_every_door_lets_everybody_do_what_the_table_says_and_no_more(wire):
    allowed = dict(zip(WHO, TABLE[wire], strict=True))
    with all_doors() as doors:
        for name in DOORS:
            told = codes_of(wire, *doors[name])
            assert told == {who: allowed[who] for who in OUTSIDE}, name


def codes_of(wire, door, engine):
    """What each is told: in a new scene where the one before them did something."""
    changes = not REGISTRY.messages[wire].spec.is_query
    codes, scene = {}, None
    for who in OUTSIDE:
        scene = scene or Scene(Town.around(engine), wire, suffix=f"-{len(codes)}")
        codes[who] = code_of(scene, wire, who, door)
        if changes and codes[who] == "ok":
            scene = None
    return codes


def code_of(scene, wire, who, door):
    """What somebody is told; whoever is refused has changed nothing."""
    engine = scene.town.engine
    asked, token = codec.plain(scene.message(wire)), scene.token(who)
    before = engine.storage.fingerprint()
    how, told = door.send(wire, asked, token=token)
    if how == "ok":
        return how
    assert engine.storage.fingerprint() == before
    return told["code"]
