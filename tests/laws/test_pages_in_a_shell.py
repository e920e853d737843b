"""What the pages of the features have one type into a shell comes out as they say."""

import pytest

from tests.laws.test_docs import shell_of, type_in
from tests.server.running import Running

PAGES = {
    "credentials": (
        '"is_current":true',
        '"is_current":false',
        '"code":"credentials.refresh_reused"',
        '"code":"not_signed_in"',
        '"username":"ada"',
    ),
    "people": (
        '"bio":"I count."',
        '"phone":"+44 20 7946 0815"',
        '"username":"ada"',
        '"private":',
        '"days":',
    ),
    "rooms": (
        '"music":["rain"]',
        '"standing":"none","may_join":true,"refusal":null',
        '"seated":2',
        '"is_moderator":false',
        '"is_public":false',
        '"code":"outdated"',
        '"code":"rooms.not_found"',
        '"reason":"He sings."',
    ),
}
"""Each page with what is printed on the way."""

pytestmark = pytest.mark.checkout


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_do_what_it_says(page, tmp_path):
    with Running(tmp_path) as server:
        script = shell_of(f"docs/{page}.md").replace("http://127.0.0.1:8000", server.http)
        printed = type_in(script, tmp_path)
    assert [step for step in PAGES[page] if step not in printed] == []
