"""What the page of credentials has one type into a shell comes out as the page says."""

import pytest

from tests.laws.test_docs import shell_of, type_in
from tests.server.running import Running

PAGE = "docs/credentials.md"

pytestmark = pytest.mark.checkout


def test_the_commands_of_the_page_of_credentials_do_what_it_says(tmp_path):
    with Running(tmp_path) as server:
        script = shell_of(PAGE).replace("http://127.0.0.1:8000", server.http)
        printed = type_in(script, tmp_path)
    steps = ('"is_current":true', '"is_current":false', '"code":"credentials.refresh_reused"')
    assert [step for step in steps if step not in printed] == []
    assert printed.count('"code":"not_signed_in"') == 2
    assert printed.count('"username":"ada"') == 2
