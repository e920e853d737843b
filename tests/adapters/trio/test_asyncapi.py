"""The AsyncAPI document: whatever may be said is in it, and whatever is said is as it says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from focusmate_core.features import BUNDLED
from focusmate_core.messages import Access
from focusmate_core.registry import Registry
from focusmate_core.testing.memory import MemoryStorage
from focusmate_trio import frames
from focusmate_trio.asyncapi import document
from focusmate_trio.connection import OURS_TO_TELL
from focusmate_trio.frames import CLOSE_CODES
from tests.adapters.trio.kit import everything, frames_in
from tests.features.town import Town
from tests.golden import conversing
from tests.golden.__main__ import story

ROOT = Path(__file__).parents[3]
REGISTRY = Registry(BUNDLED)
DOCUMENT = document(REGISTRY)
MESSAGES = DOCUMENT["components"]["messages"]
OPERATIONS = DOCUMENT["operations"]
OFFERED = {w for w, cls in REGISTRY.messages.items() if cls.spec.access is not Access.SYSTEM}
OWN = {"sign_in", "subscribe", "unsubscribe", "ping"}


def references(told):
    if isinstance(told, dict):
        if isinstance(told.get("$ref"), str):
            yield told["$ref"]
        told = list(told.values())
    if isinstance(told, list):
        for each in told:
            yield from references(each)


def followed(reference):
    found = DOCUMENT
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found


def fits(name, told):
    """Whether a frame is as a message of the document says."""
    schema = {**MESSAGES[name]["payload"], "components": DOCUMENT["components"]}
    checker = jsonschema.Draft7Validator.FORMAT_CHECKER
    jsonschema.Draft7Validator(schema, format_checker=checker).validate(told)


def test_every_reference_leads_somewhere():
    found = set(references(DOCUMENT))
    assert len(found) > 100
    assert all(followed(reference) for reference in found)


def test_every_schema_is_one():
    for message in MESSAGES.values():
        jsonschema.Draft7Validator.check_schema(message["payload"])
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft7Validator.check_schema(schema)


def test_every_name_is_one_that_the_format_allows():
    names = [*MESSAGES, *DOCUMENT["components"]["schemas"]]
    assert [name for name in names if not re.fullmatch(r"[A-Za-z0-9._-]+", name)] == []


def test_everything_that_a_client_may_ask_for_is_an_operation_with_its_answers():
    asked = {name for name, each in OPERATIONS.items() if each["action"] == "receive"}
    assert asked == OFFERED | OWN
    for name in asked:
        reply = [each["$ref"].rpartition("/")[2] for each in OPERATIONS[name]["reply"]["messages"]]
        assert reply == [f"{name}.ok", f"{name}.error"]


def test_every_event_is_in_it_and_what_is_told_is_where_it_says():
    assert {f"event.{wire}" for wire in REGISTRY.events} <= MESSAGES.keys()
    town = Town(MemoryStorage())
    story(town)
    for envelope in town.all_told():
        kind = envelope.stream.partition(":")[0]
        listed = list(references(OPERATIONS[f"watch.{kind}"]["messages"]))
        assert f"#/channels/conversation/messages/event.{envelope.type}" in listed, envelope
        ((_, payload),) = frames_in(frames.event_frame(envelope, REGISTRY))
        fits(f"event.{envelope.type}", json.loads(payload))


def test_every_code_with_which_the_door_closes_is_in_it():
    sent = {
        value
        for name, value in vars(frames).items()
        if name.isupper() and isinstance(value, int) and 1000 <= value < 5000
    }
    assert sent | OURS_TO_TELL == CLOSE_CODES.keys()
    told = DOCUMENT["channels"]["conversation"]["x-close-codes"]
    assert told.keys() == {str(code) for code in CLOSE_CODES}


@pytest.mark.checkout
def test_the_page_tells_of_each_code_what_the_document_does():
    page = (ROOT / "docs" / "websocket.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d{4}) \| (.+) \| (.+) \|$", page, re.MULTILINE)
    assert {int(code): f"{why}; {does}" for code, why, does in rows} == CLOSE_CODES
    assert len(rows) == len(CLOSE_CODES)


GOLDEN = sorted((Path(conversing.__file__).parent / "conversations").glob("*.txt"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_frame_of_a_conversation_is_as_the_document_says(path):
    asked = {}
    for who, way, text in conversing.frames_of(path.read_text(encoding="utf-8")):
        if way == ">":
            try:
                told = json.loads(text)
                asked[who, told.get("id")] = told["do"] if told["do"] in OPERATIONS else None
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
            continue
        told = json.loads(text)
        if "id" in told:
            do = asked.get((who, told["id"]))
            fits("error" if do is None else f"{do}.{'ok' if 'ok' in told else 'error'}", told)
        elif "type" in told:
            fits(f"event.{told['type']}", told)
        else:
            fits("ended" if "ended" in told else "notice", told)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_document_is_served_on_the_door_s_own_address(house, method):
    asked = f"{method} /asyncapi.json HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    async with await house.raw(asked) as stream:
        head, _, body = (await everything(stream)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"Content-Type: application/json" in head
    assert body == b"" if method == "HEAD" else json.loads(body) == json.loads(json.dumps(DOCUMENT))
