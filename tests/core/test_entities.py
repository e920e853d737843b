"""What an entity declares, and the declarations that contradict themselves."""

import enum
from datetime import datetime

import pytest

from focusmate_core.entities import Entity, entity
from focusmate_core.fields import Id


class Mood(enum.Enum):
    """A stored enum."""

    CALM = "calm"


@entity("tests_notes", key=("day", "id"), index=["mood", ("mood", "at")], search=("title", "text"))
class Note(Entity):
    """Something stored."""

    id: Id
    day: str
    at: datetime
    mood: Mood | None = None
    title: str = ""
    text: str | None = None
    tags: tuple[str, ...] = ()
    version: int = 0


def test_a_declaration_says_all_a_storage_knows():
    declared = Note.declared
    assert (declared.name, declared.cls, declared.key) == ("tests_notes", Note, ("day", "id"))
    assert declared.indexes == (("mood",), ("mood", "at"))
    assert declared.uniques == ()
    told = {column.name: (column.type, column.optional) for column in declared.columns}
    assert told["id"] == (str, False)
    assert told["mood"] == (Mood, True)
    assert told["text"] == (str, True)
    kinds = {column.name: (column.is_enum, column.is_nested) for column in declared.columns}
    assert kinds["mood"] == (True, False)
    assert kinds["tags"] == (False, True)
    assert kinds["at"] == (False, False)


def test_a_thing_has_a_key_and_a_text(make):
    note = make(title="Two", text=None)
    assert Note.declared.key_of(note) == ("monday", note.id)
    assert Note.declared.text_of(note) == "Two\n"
    assert Note.declared.text_of(note.but(text="words")) == "Two\nwords"


@entity("tests_posters", search=("title",), found_while=("is_up", "is_public"))
class Poster(Entity):
    """Something that is not always found."""

    id: str
    title: str
    is_up: bool = True
    is_public: bool | None = None
    version: int = 0


def test_a_thing_has_a_text_only_while_it_may_be_found():
    assert (Poster.declared.found_while, Note.declared.found_while) == (("is_up", "is_public"), ())
    poster = Poster(id="7", title="Two", is_public=True)
    assert Poster.declared.text_of(poster) == "Two"
    for hidden in ({"is_up": False}, {"is_public": False}, {"is_public": None}):
        assert Poster.declared.text_of(poster.but(**hidden)) == ""


def test_what_decides_on_finding_is_yes_or_no():
    class Vague(Entity):
        id: str
        name: str
        version: int = 0

    with pytest.raises(TypeError, match=r"Vague is found while \['name'\], which must be bool"):
        entity("tests_vague", search=("name",), found_while=("name",))(Vague)


def test_a_key_of_another_length_is_no_key():
    assert Note.declared.key_from(("monday", "1")) == ("monday", "1")
    with pytest.raises(TypeError, match="no key of it"):
        Note.declared.key_from("1")


def test_a_thing_is_frozen(make):
    with pytest.raises(AttributeError):
        make().title = "other"


@pytest.mark.parametrize(
    "declared",
    [{"key": "none"}, {"index": ["none"]}, {"index": [("id", "none")]}, {"unique": ["none"]},
     {"search": ("none",)}, {"found_while": ("none",)}],
)  # fmt: skip
def test_a_declaration_that_names_no_field_of_its_own_fails(declared):
    class Wrong(Entity):
        id: str
        version: int = 0

    with pytest.raises(TypeError, match=r"Wrong declares \['none'\]"):
        entity("tests_wrong", **declared)(Wrong)


def test_a_declaration_without_a_version_fails():
    class Wrong(Entity):
        id: str

    with pytest.raises(TypeError, match="needs the field «version: int = 0»"):
        entity("tests_wrong")(Wrong)


@pytest.fixture
def make():
    def note(**fields):
        at = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
        return Note(id="7", day="monday", at=at, **fields)

    return note
