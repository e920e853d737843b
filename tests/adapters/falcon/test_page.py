"""docs/http.md tells the table of routes and every sign of what went wrong."""

import re
from pathlib import Path

import pytest

from focusmate_falcon.problems import HTTP_DETAIL, STATUS, http_code
from focusmate_falcon.routes import DO, ROUTES

pytestmark = pytest.mark.checkout


@pytest.fixture
def page():
    return (Path(__file__).parents[3] / "docs/http.md").read_text(encoding="utf-8")


def test_the_table_of_routes_is_the_table_of_routes(page):
    rows = re.findall(
        r"^\| `(\w+)` \| `([^`]+)` \| `([^`]+)` \| (\d+)(, `Location`)? \|$", page, re.MULTILINE
    )
    told = [
        (method, path, wire, int(status), bool(place)) for method, path, wire, status, place in rows
    ]
    assert told == [
        (route.method, route.path, route.wire, route.status, route.location is not None)
        for route in ROUTES
    ]
    assert f"`{DO}`" in page


def test_every_status_and_every_code_of_http_itself_is_told(page):
    for status in {*STATUS.values(), *HTTP_DETAIL, 500}:
        assert f"\n| {status} |" in page
    for status in HTTP_DETAIL:
        assert f"`{http_code(status)}`" in page
