"""The database's history: made at head, refused when older or newer, brought up with its data."""

import re
import shutil
import sqlite3
from datetime import UTC, datetime

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from focusmate_core.engine import Engine
from focusmate_core.entities import Entity, entity
from focusmate_core.features import BUNDLED
from focusmate_core.features.people import Person
from focusmate_core.features.rooms import Room
from focusmate_core.features.seats import Seat
from focusmate_core.features.timer_machine import Timer
from focusmate_core.finding import Find, Is
from focusmate_core.testing.clock import FakeClock
from focusmate_core.testing.conformance.storage.kit import ENTITIES, keep, kept
from focusmate_core.testing.ids import SequentialIds
from focusmate_core.testing.memory import MemoryStorage
from focusmate_sqlalchemy import NeedsMigration, NewerDatabase, SqlStorage, migrating, search
from focusmate_sqlalchemy.sqlite import SqliteDriver
from focusmate_sqlalchemy.tables import VERSION_TABLE, build


@entity("notes")
class FirstNote(Entity):
    id: str
    text: str
    version: int = 0


@entity("notes", index=["stars"], unique=["code"], search=("text",))
class LaterNote(Entity):
    id: str
    text: str
    stars: int = 3
    tags: tuple[str, ...] = ("new",)
    is_read: bool = False
    code: str | None = None
    version: int = 0


@entity("notes", search=("text",), found_while=("is_shown", "is_new"))
class HiddenNote(Entity):
    id: str
    text: str
    is_shown: bool = True
    is_new: bool | None = True
    version: int = 0


@entity("notes")
class ShownNote(Entity):
    id: str
    text: str
    is_shown: bool = True
    is_new: bool | None = True
    version: int = 0


@entity("notes")
class BadNote(Entity):
    id: str
    text: str
    owner: str
    version: int = 0


def bundled():
    return Engine(
        MemoryStorage(), features=BUNDLED, clock=FakeClock(), ids=SequentialIds()
    ).entities


@pytest.fixture
def path(tmp_path):
    return tmp_path / "focusmate.db"


@pytest.fixture
def driver(path):
    driver = SqliteDriver(path)
    driver.start()
    yield driver
    driver.stop()


def storage_on(path):
    return SqlStorage(f"sqlite:///{path}")


def opened(path, *entities):
    storage = storage_on(path)
    storage.open(entities)
    return storage


def schema(path):
    """All of a database's tables and indexes as SQLite keeps them, layout aside."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_schema").fetchall()
    connection.close()
    told = {name: re.sub(r'[\s"]+', " ", sql or "") for name, sql in rows}
    return {name: re.sub(r" ?([(),]) ?", r"\1", sql) for name, sql in told.items()}


def sql(path, *statements):
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def words_in(path, table):
    connection = sqlite3.connect(path)
    found = set(connection.execute(f"SELECT token, of_id FROM {table}"))
    connection.close()
    return found


def test_declarations_and_migrations_agree(path, driver):
    tables = build(bundled())
    with driver.migrating() as connection:
        migrating.upgrade(connection)
        options = {"version_table": VERSION_TABLE, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, tables.metadata) == [], "run tools/revise.py"


def test_migrations_make_word_for_word_what_the_declarations_do(path, driver, tmp_path):
    with driver.migrating() as connection:
        migrating.upgrade(connection)
    derived = SqliteDriver(tmp_path / "derived.db")
    derived.start()
    with derived.migrating() as connection:
        build(bundled()).metadata.create_all(connection)
    derived.stop()
    made = schema(path)
    del made[VERSION_TABLE], made[f"sqlite_autoindex_{VERSION_TABLE}_1"]
    assert made == schema(tmp_path / "derived.db")


def test_revisions_are_counted_and_stand_in_one_line(driver):
    with driver.inspecting() as connection:
        script = ScriptDirectory.from_config(migrating.configured(connection))
    line = [revision.revision for revision in script.walk_revisions()]
    assert line[::-1] == migrating.revisions()
    assert line[::-1] == [f"{n + 1:04}" for n in range(len(line))]


def test_an_empty_database_is_made_at_head_with_all_tables(path):
    opened(path, FirstNote).close()
    with sqlite3.connect(path) as connection:
        found = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchall()
    connection.close()
    assert found == [(migrating.revisions()[-1],)]
    assert {"notes", "rooms", "rooms_words", "outbox"} <= set(schema(path))
    opened(path, *bundled(), FirstNote).close()


def test_opening_what_is_up_to_date_writes_nothing(path):
    opened(path, FirstNote).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    opened(path, FirstNote).close()
    other.execute("ROLLBACK")
    other.close()


def test_an_older_database_says_to_migrate(path, monkeypatch):
    opened(path, FirstNote).close()
    monkeypatch.setattr(migrating, "revisions", lambda: ["0001", "0002", "0003"])
    sql(path, f"UPDATE {VERSION_TABLE} SET version_num = '0002'")
    with pytest.raises(NeedsMigration, match=r"0002.*needs 0003.*`focusmate migrate`"):
        storage_on(path).open([FirstNote])


def test_a_newer_database_is_left_alone(path):
    opened(path, FirstNote).close()
    sql(path, f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    before = schema(path)
    for begin in (SqlStorage.open, SqlStorage.migrate):
        with pytest.raises(NewerDatabase, match=r"«9999».*newer focusmate"):
            begin(storage_on(path), [FirstNote])
    assert schema(path) == before


def test_a_table_that_is_lacking_says_to_migrate(path):
    opened(path).close()
    with pytest.raises(NeedsMigration, match=r"lacks the table «notes».*`focusmate migrate`"):
        storage_on(path).open([FirstNote])
    storage_on(path).migrate([FirstNote])
    opened(path, FirstNote).close()


def test_what_a_stranger_adds_comes_with_the_data_that_is_there(path):
    storage = opened(path, FirstNote)
    keep(storage, FirstNote(id="1", text="quiet room"), FirstNote(id="2", text="loud"))
    storage.close()
    with pytest.raises(NeedsMigration, match=r"«stars» of the table «notes»"):
        storage_on(path).open([LaterNote])
    storage_on(path).migrate([LaterNote])
    storage = opened(path, LaterNote)
    assert kept(storage, LaterNote, "1") == LaterNote(id="1", text="quiet room", version=1)
    with storage.read() as reader:
        assert [note.id for note in reader.find(Find(LaterNote, words="quiet ro")).items] == ["1"]
        assert len(reader.find(Find(LaterNote, [Is("stars", 3)])).items) == 2
    keep(storage, LaterNote(id="3", text="", code="c"))
    storage.close()


@pytest.mark.parametrize("few", [0, 1_000])
def test_what_may_not_be_found_is_topped_up_without_words(path, monkeypatch, few):
    monkeypatch.setattr(search, "FEW", few)
    hidden = [{"is_shown": False}, {"is_new": False}, {"is_new": None}, {}]
    storage = opened(path, ShownNote)
    keep(storage, *(ShownNote(id=f"{n}", text="quiet", **so) for n, so in enumerate(hidden)))
    storage.close()
    storage_on(path).migrate([HiddenNote])
    assert words_in(path, "notes_words") == {("", "3"), ("quiet", "3")}
    storage = opened(path, HiddenNote)
    with storage.read() as reader:
        assert [note.id for note in reader.find(Find(HiddenNote, words="qui")).items] == ["3"]
    storage.close()


def test_an_index_that_is_lacking_is_made(path):
    opened(path, LaterNote).close()
    sql(path, "DROP INDEX ix_notes_stars_id")
    with pytest.raises(NeedsMigration, match="«ix_notes_stars_id»"):
        storage_on(path).open([LaterNote])
    storage_on(path).migrate([LaterNote])
    opened(path, LaterNote).close()


def test_a_field_without_a_default_cannot_be_added_and_nothing_is_changed(path):
    storage = opened(path, FirstNote)
    keep(storage, FirstNote(id="1", text="t"))
    storage.close()
    before = schema(path)
    with pytest.raises(TypeError, match="«owner» a default"):
        storage_on(path).migrate([BadNote])
    assert schema(path) == before


def test_rooms_and_timers_of_the_first_revision_go_on(path, driver):
    with driver.migrating() as connection:
        command.upgrade(migrating.configured(connection), "0001")
    driver.stop()
    room = "'', 'ada', 'host', NULL, '{\"work\": \"PT25M\"}', 1, 1, 1000000, NULL, 1"
    sql(
        path,
        *(f"INSERT INTO rooms VALUES ('{name}', '{name}', {room})" for name in ("a", "b", "c")),
        "INSERT INTO seats VALUES ('a', 'ada', 1000000, 1)",
        "INSERT INTO timers VALUES ('a', 'running', 'work', 0, 60000000, 90000000, NULL, 1)",
        "INSERT INTO timers VALUES ('b', 'paused', 'work', 2, 60000000, NULL, 5000000, 1)",
        "INSERT INTO timers VALUES ('c', 'idle', 'long_break', 4, 60000000, NULL, NULL, 1)",
    )
    storage_on(path).migrate(bundled())
    storage = opened(path, *bundled())
    assert kept(storage, Room, "a").is_public
    assert not kept(storage, Seat, ("a", "ada")).is_moderator
    running, paused, idle = (kept(storage, Timer, name) for name in ("a", "b", "c"))
    began = datetime.fromtimestamp(30, UTC)
    assert (running.run, running.began_at, running.since) == (1, began, began)
    assert (paused.run, paused.began_at, paused.since) == (1, datetime.fromtimestamp(1, UTC), None)
    assert (idle.run, idle.began_at, idle.since) == (0, None, None)
    storage.close()


def test_people_of_the_second_revision_are_found_by_their_names(path, driver):
    with driver.migrating() as connection:
        command.upgrade(migrating.configured(connection), "0002")
    driver.stop()
    sql(
        path,
        "INSERT INTO people VALUES ('1', 'Ada', 'ada', 'Ada Lovelace', '[]', 1000000, 1)",
        "INSERT INTO people VALUES ('2', 'bob', 'bob', '공부방', '[\"admin\"]', 1000000, 3)",
    )
    storage_on(path).migrate(bundled())
    storage = opened(path, *bundled())
    ada, bob = (kept(storage, Person, name) for name in "12")
    assert (ada.bio, ada.avatar_url, ada.shows, ada.revision) == ("", None, frozenset(), 1)
    assert (ada.locale, ada.deleted_at, bob.roles, bob.version) == (None, None, {"admin"}, 3)
    with storage.read() as reader:
        found = {
            words: [person.id for person in reader.find(Find(Person, words=words)).items]
            for words in ("ada", "love", "공부", "bob", "admin")
        }
    assert found == {"ada": ["1"], "love": ["1"], "공부": ["2"], "bob": ["2"], "admin": []}
    keep(storage, ada.but(display_name="Countess"))
    with storage.read() as reader:
        assert reader.find(Find(Person, words="lovelace")).items == ()
    storage.close()


@pytest.mark.parametrize("few", [0, 1_000])
def test_rooms_of_the_second_revision_keep_words_only_while_they_may_be_found(
    path, driver, monkeypatch, few
):
    monkeypatch.setattr(search, "FEW", few)
    with driver.migrating() as connection:
        command.upgrade(migrating.configured(connection), "0002")
    driver.stop()
    flags = {"open": (1, 1), "private": (1, 0), "closed": (0, 1), "neither": (0, 0)}
    room = "(id, name, description, host_id, control, plan, seated, opened_at, version, moves,"
    row = "'quiet library', '', 'ada', 'host', '{\"work\": \"PT25M\"}', 1, 1000000, 1, 0,"
    sql(
        path,
        *(
            f"INSERT INTO rooms {room} is_open, is_public) VALUES ('{name}', {row} {up}, {public})"
            for name, (up, public) in flags.items()
        ),
        *(
            f"INSERT INTO rooms_words VALUES ('{word}', '{name}')"
            for name in flags
            for word in ("quiet", "library")
        ),
    )
    storage_on(path).migrate(bundled())
    assert words_in(path, "rooms_words") == {(word, "open") for word in ("", "quiet", "library")}
    storage = opened(path, *bundled())
    hidden = kept(storage, Room, "private")
    with storage.write() as unit:
        assert [room.id for room in unit.find(Find(Room, words="lib")).items] == ["open"]
        unit.put(hidden.but(is_public=True))
        asked = Find(Room, words="lib", limit=5)
        assert [room.id for room in unit.find(asked).items] == ["open", "private"]
    storage.close()


def test_migrating_twice_is_migrating_once(path):
    storage_on(path).migrate(ENTITIES)
    before = schema(path)
    storage_on(path).migrate(ENTITIES)
    assert schema(path) == before
    opened(path, *ENTITIES).close()


def test_a_migration_that_fails_leaves_the_database_as_it_was(path, monkeypatch, driver):
    sql(path, "CREATE TABLE timers (mine)")
    with pytest.raises(Exception, match="already exists"):
        storage_on(path).open([])
    assert set(schema(path)) == {"timers"}


def test_the_tables_of_another_application_may_stand_beside(path):
    sql(path, "CREATE TABLE alembic_version (version_num)", "CREATE TABLE customers (id)")
    opened(path, *bundled()).close()
    assert {"customers", "alembic_version", VERSION_TABLE} <= set(schema(path))


def test_a_restored_copy_opens(path, tmp_path):
    storage = opened(path, FirstNote)
    keep(storage, FirstNote(id="1", text="t"))
    storage.close()
    shutil.copy(path, tmp_path / "copy.db")
    copy = opened(tmp_path / "copy.db", FirstNote)
    assert kept(copy, FirstNote, "1") is not None
    copy.close()


def test_two_entities_of_one_name_are_refused(path):
    with pytest.raises(TypeError, match="«notes»"):
        storage_on(path).open([FirstNote, LaterNote])


@entity("outbox")
class Impostor(Entity):
    id: str
    version: int = 0


def test_an_entity_cannot_take_the_name_of_a_table_of_the_core(path):
    with pytest.raises(TypeError, match="«outbox»"):
        storage_on(path).open([Impostor])
