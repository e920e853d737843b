"""The engine in Python keeps the laws of doors, and the laws see a door that does not."""

import pytest

from focusmate_core.testing.conformance.door import DoorContract, PythonDoor


class TestPythonDoor(DoorContract):
    @pytest.fixture
    def door(self, engine):
        return PythonDoor(engine)


class Careless(PythonDoor):
    """Forgets one thing on the way."""

    def __init__(self, engine, forgets):
        super().__init__(engine)
        self.forgets = forgets

    def send(self, wire, data, *, token=None, key=None):
        if self.forgets == "key":
            key = None
        if self.forgets == "unknown fields" and isinstance(data, dict):
            data = {name: value for name, value in data.items() if name != "no_such_field"}
        how, told = super().send(wire, data, token=token, key=key)
        if how == "error" and self.forgets == "params":
            told.pop("params", None)
        return how, told


def test_a_door_with_a_clock_of_its_own_is_not_asked_about_expiry(bundled):
    with pytest.raises(pytest.skip.Exception):
        DoorContract().test_a_token_that_has_expired_is_refused(PythonDoor(bundled), None)


@pytest.mark.parametrize(
    ("forgets", "law"),
    [
        ("key", DoorContract.test_a_key_repeated_is_one_effect_and_one_answer),
        ("params", DoorContract.test_a_refusal_is_told_with_its_code_its_words_and_its_parameters),
    ],
)
def test_the_laws_see_what_a_door_forgets(bundled, forgets, law):
    with pytest.raises(AssertionError):
        law(DoorContract(), Careless(bundled, forgets))


def test_the_laws_see_a_door_that_passes_over_unknown_fields(bundled):
    law = DoorContract.test_what_is_wrong_with_a_field_is_told_as_in_python
    with pytest.raises((AssertionError, KeyError)):
        law(DoorContract(), Careless(bundled, "unknown fields"), "rooms.open")
