"""Generated messages are messages, and generated nonsense is refused where it is nonsense."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from focusmate_core import codec
from focusmate_core.features import BUNDLED
from focusmate_core.refusals import BadInput
from focusmate_core.registry import Registry
from focusmate_core.testing import strategies

MESSAGES = sorted(Registry(BUNDLED).messages.values(), key=lambda cls: cls.spec.wire)
by_message = pytest.mark.parametrize("cls", MESSAGES, ids=lambda cls: cls.spec.wire)


@by_message
@given(data=st.data())
def test_a_message_comes_back_from_plain_data_as_it_was(cls, data):
    message = data.draw(strategies.instances(cls))
    sent = codec.loads(codec.dumps(codec.plain(message)))
    assert codec.value_of(sent, cls) == message


@by_message
@settings(max_examples=3)
@given(data=st.data())
def test_what_is_wrong_is_refused_by_the_name_of_its_field(cls, data):
    right = data.draw(strategies.data(cls))
    for fault in strategies.faults(cls):
        sent = fault(right)
        with pytest.raises(BadInput) as refused:
            codec.value_of(sent.data, cls)
        assert [problem.field.split(".")[0] for problem in refused.value.fields] == [sent.field]
        assert codec.dumps(codec.plain(refused.value.fields)).encode()


@by_message
@given(data=st.data())
def test_broken_data_is_broken(cls, data):
    with pytest.raises(BadInput):
        codec.value_of(data.draw(strategies.broken(cls)).data, cls)
