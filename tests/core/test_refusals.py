"""Every refusal says what is the case and what to do next, under a code of its own."""

import inspect

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from focusmate_core import codec, refusals
from focusmate_core.features import BUNDLED
from focusmate_core.refusals import BadInput, FieldProblem, Kind, Refusal, refusal
from focusmate_core.registry import Registry
from focusmate_core.testing import strategies

OWN = [
    thing
    for _, thing in inspect.getmembers(refusals, inspect.isclass)
    if issubclass(thing, Refusal) and thing is not Refusal
]
ALL = sorted({*OWN, *Registry(BUNDLED).refusals.values()}, key=lambda cls: cls.code)


def test_codes_are_unique():
    assert len({cls.code for cls in ALL}) == len(ALL)


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.code)
@settings(max_examples=5)
@given(data=st.data())
def test_every_refusal_says_itself_in_sentences(cls, data):
    refused = data.draw(strategies.instances(cls))
    assert isinstance(refused.kind, Kind)
    assert refused.detail.endswith(".")
    assert str(refused) == f"{cls.code}: {refused.detail}"
    assert cls.__doc__
    codec.dumps(codec.plain(refused.params()))


def test_bad_input_says_each_problem():
    refused = BadInput(fields=(FieldProblem("a.b", "is required"), FieldProblem("", "is empty")))
    assert refused.detail == "a.b: is required; is empty. Correct this and send it again."
    assert BadInput.of("a", "is wrong").fields == (FieldProblem("a", "is wrong"),)


def test_a_refusal_can_be_raised_caught_compared_by_identity_and_hashed():
    @refusal("tests.said", "It is {what}; do {next}.", kind=Kind.IMPOSSIBLE)
    class Said(Refusal):
        what: str
        next: str = "nothing"

    with pytest.raises(Said, match=r"tests\.said: It is so; do nothing\.") as caught:
        raise Said(what="so")
    assert caught.value.params() == {"what": "so", "next": "nothing"}
    assert len({Said(what="so"), Said(what="so")}) == 2
