"""The features' pages name every message, refusal and event there is, and none that is not."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from focusmate_core import refusals
from focusmate_core.features import BUNDLED
from focusmate_core.messages import Access
from focusmate_core.registry import Registry
from focusmate_falcon.problems import STATUS
from focusmate_falcon.routes import ROUTES, do_route

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md"))}
DOORS = ("http.md", "websocket.md")
"""Where the refusals of every message are told, and the doors' own."""
REGISTRY = Registry(BUNDLED)
GENERAL = {code for code, cls in REGISTRY.refusals.items() if cls.__module__ == refusals.__name__}
OF_DOORS = ("http.", "websocket.")
WIRE = r"[a-z_]+\.[a-z_]+"

pytestmark = pytest.mark.checkout


@attrs.frozen
class Row:
    """A row of a page's table, its cells by what stands above them."""

    page: str
    cells: dict[str, str]

    def names(self, column: str) -> list[str]:
        """What stands between backticks in a cell."""
        return re.findall(r"`([^`]+)`", self.cells[column])


def rows_of(name: str, page: str, column: str) -> Iterator[Row]:
    """The rows of all tables of a page that have this column first."""
    head: list[str] = []
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if not line.startswith("|"):
            head = []
        elif not head:
            head = cells
        elif head[0] == column and not set(line) <= set("|- "):
            yield Row(name, dict(zip(head, cells, strict=True)))


def rows(column: str) -> list[Row]:
    return [row for name, page in PAGES.items() for row in rows_of(name, page, column)]


def told(column: str) -> set[str]:
    """All names that stand first in a row of such a table."""
    return {name for row in rows(column) for name in row.names(column)}


MESSAGES = [row for row in rows("message") if "who may" in row.cells]
BY_WIRE = {name: row for row in MESSAGES for name in row.names("message")}


def test_every_message_stands_on_one_page_and_each_that_stands_there_exists():
    named = Counter(name for row in MESSAGES for name in row.names("message"))
    assert set(REGISTRY.messages) - set(named) == set(), "these stand on no page"
    assert set(named) - set(REGISTRY.messages) == set(), "these do not exist"
    assert [name for name, times in named.items() if times > 1] == []


def test_every_refusal_stands_on_a_page_of_a_feature_and_each_that_stands_there_exists():
    own = set(REGISTRY.refusals) - GENERAL
    assert own - told("code") == set(), "these stand on no page"
    strange = told("code") - set(REGISTRY.refusals)
    assert {code for code in strange if not code.startswith(OF_DOORS)} == set()


def test_what_any_message_may_be_refused_with_stands_with_the_doors():
    pages = "\n".join(PAGES[name] for name in DOORS)
    assert {code for code in GENERAL if f"`{code}`" not in pages} == set()


def test_a_status_that_is_told_of_a_refusal_is_its_own():
    for row in rows("code"):
        said = set(re.findall(r"\b[45]\d\d\b", " ".join(row.cells.values())))
        for code in row.names("code"):
            if code in REGISTRY.refusals:
                assert said <= {str(STATUS[REGISTRY.refusals[code].kind])}, code


def test_every_event_stands_on_a_page_and_each_that_stands_there_exists():
    assert set(REGISTRY.events) - told("event") == set(), "these stand on no page"
    assert told("event") - set(REGISTRY.events) == set(), "these do not exist"


def true_routes(wire: str) -> list[str]:
    """Under which a message is sent to, less what the route for all of them would be."""
    if REGISTRY.messages[wire].spec.access is Access.SYSTEM:
        return []
    own = [f"{each.method} {each.path}" for each in ROUTES if each.wire == wire]
    return own or [f"POST {do_route(wire).path}"]


@pytest.mark.parametrize("wire", sorted(BY_WIRE))
def test_each_message_has_its_true_routes(wire):
    assert BY_WIRE[wire].names("route") == true_routes(wire)


WHO = {
    Access.ANYONE: r"anyone\b",
    Access.MODERATOR: r"(a )?moderators?\b",
    Access.ADMIN: r"(an )?admins?\b",
    Access.SYSTEM: r"the library\b",
}
"""How the cell begins for each access; for who is signed in it says which of them."""


@pytest.mark.parametrize("wire", sorted(BY_WIRE))
def test_each_message_says_truly_who_may_send_it(wire):
    said = BY_WIRE[wire].cells["who may"]
    meant = [access for access, words in WHO.items() if re.match(words, said)]
    assert meant == [each for each in WHO if each is REGISTRY.messages[wire].spec.access], said


@pytest.mark.parametrize("name", PAGES)
def test_no_page_names_what_does_not_exist(name):
    known = {*REGISTRY.messages, *REGISTRY.events, *REGISTRY.refusals}
    features = {wire.partition(".")[0] for wire in known}
    named = set(re.findall(rf"`({WIRE})`", PAGES[name]))
    mine = {each for each in named if each.partition(".")[0] in features}
    assert {each for each in mine if not each.endswith((".md", ".py"))} <= known


def glossary():
    """The words of the glossary, as they stand."""
    return [row.cells["word"] for row in rows_of("glossary.md", PAGES["glossary.md"], "word")]


def test_the_glossary_has_each_word_once_in_its_order():
    assert sorted(set(glossary())) == glossary()


def test_every_word_that_a_page_explains_stands_in_the_glossary():
    explained = {row.cells["word"] for row in rows("word")}
    assert explained - set(glossary()) == set()


def test_the_law_reads_the_tables():
    page = (
        "| message | who may |\n| --- | --- |\n| `a.b` | anyone |\n\n| code |\n| --- |\n| `c.d` |\n"
    )
    assert list(rows_of("x", page, "message")) == [
        Row("x", {"message": "`a.b`", "who may": "anyone"})
    ]
    assert [row.names("code") for row in rows_of("x", page, "code")] == [["c.d"]]
