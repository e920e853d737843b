"""What the page of rooms has one type into a shell comes out as the page says."""

import pytest

from tests.laws.test_docs import shell_of, type_in
from tests.server.running import Running

PAGE = "docs/rooms.md"

pytestmark = pytest.mark.checkout


def test_the_commands_of_the_page_of_rooms_do_what_it_says(tmp_path):
    with Running(tmp_path) as server:
        script = shell_of(PAGE).replace("http://127.0.0.1:8000", server.http)
        printed = type_in(script, tmp_path)
    steps = (
        '"music":["rain"]',
        '"standing":"none","may_join":true,"refusal":null',
        '"seated":2',
        '"is_moderator":false',
        '"is_public":false',
        '"code":"outdated"',
        '"code":"rooms.not_found"',
        '"reason":"He sings."',
    )
    assert [step for step in steps if step not in printed] == []
