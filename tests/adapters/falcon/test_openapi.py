"""The document says all there is, says it rightly, and invents nothing."""

import re

import falcon.testing
import jsonschema
import pytest

from focusmate_core import Engine
from focusmate_core.features import people
from focusmate_core.messages import Access
from focusmate_core.refusals import Kind
from focusmate_core.testing.memory import MemoryStorage
from focusmate_core.testing.runner import InlineRunner
from focusmate_falcon import create_app
from focusmate_falcon.problems import STATUS
from focusmate_falcon.routes import ROUTES


@pytest.fixture
def document(door):
    return door.document


def operations(document):
    return [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


def inside(thing):
    """All objects anywhere in the document."""
    if isinstance(thing, dict):
        yield thing
    if isinstance(thing, (dict, list)):
        for inner in thing.values() if isinstance(thing, dict) else thing:
            yield from inside(inner)


def codes_of(document, operation, status):
    schema = operation["responses"][str(status)]["content"]["application/problem+json"]["schema"]
    names = re.findall(r"schemas/(\w+)", str(schema))
    parts = [document["components"]["schemas"][name] for name in names]
    return {part["properties"]["code"]["const"] for part in parts}


def test_it_is_openapi(document):
    validator = pytest.importorskip("openapi_spec_validator")
    validator.validate(document)


def test_every_schema_is_one(document):
    schemas = [thing["schema"] for thing in inside(document["paths"]) if "schema" in thing]
    for schema in [*document["components"]["schemas"].values(), *schemas]:
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_reference_leads_somewhere_and_every_schema_is_used(document):
    refs = {thing["$ref"] for thing in inside(document) if "$ref" in thing}
    parts = ("schemas", "examples", "headers")
    names = {f"#/components/{part}/{it}" for part in parts for it in document["components"][part]}
    assert refs - names == set()
    assert names - refs == set()


def test_every_route_and_every_message_is_there_but_for_the_systems_own(document, engine):
    there = {(method.upper(), path) for method, path, _ in operations(document)}
    assert {(route.method, route.path) for route in ROUTES} <= there
    for wire, message in engine.registry.messages.items():
        system = message.spec.access is Access.SYSTEM
        assert (("POST", f"/v1/do/{wire}") in there) != system


def test_every_operation_has_a_name_of_its_own_and_a_sentence(document):
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    for _, path, operation in operations(document):
        if not path.startswith("/health"):
            assert operation["summary"], path


def test_what_is_in_the_path_is_a_parameter_and_no_field_of_the_body(document):
    for _, path, operation in operations(document):
        in_path = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", path))
    start = document["paths"]["/v1/rooms/{room_id}/timer/start"]["post"]
    assert "requestBody" not in start
    assert document["paths"]["/v1/do/timer.start"]["post"]["requestBody"]["required"] is True


def test_a_query_string_is_told_parameter_by_parameter(document):
    parameters = document["paths"]["/v1/rooms"]["get"]["parameters"]
    told = {p["name"]: p["schema"] for p in parameters}
    assert set(told) == {"words", "limit", "cursor", "with_count"}
    assert told["limit"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
    assert not any(p["required"] for p in parameters)


def test_a_key_is_announced_only_where_it_is_taken(document):
    taking = {
        path
        for _, path, operation in operations(document)
        if any(p["name"] == "Idempotency-Key" for p in operation.get("parameters", ()))
    }
    assert "/v1/do/rooms.open" in taking
    assert "/v1/rooms/{room_id}/join" in taking
    never = {"/v1/tokens", "/v1/accounts", "/v1/do/people.me", "/v1/do/rooms.public"}
    assert taking & never == set()


def test_who_must_be_signed_in_is_told(document, engine):
    wires = {wire.replace(".", "_"): wire for wire in engine.registry.messages}
    for _, path, operation in operations(document):
        wire = wires.get(operation["operationId"].removeprefix("do_"))
        is_open = wire is None or engine.registry.messages[wire].spec.access is Access.ANYONE
        assert operation["security"] == ([] if is_open else [{"bearer": []}]), path


def test_what_generators_make_names_of_is_a_name(document):
    assert all(op["operationId"].isidentifier() for _, _, op in operations(document))


def test_every_example_is_of_its_schema(document):
    told = 0
    for thing in inside(document["paths"]):
        if "schema" not in thing or "parameters" in thing:
            continue
        schema = {**thing["schema"], "components": document["components"]}
        named = document["components"]["examples"]
        examples = [named[name]["value"] for name in thing.get("examples", ())]
        for example in examples + [thing[key] for key in thing if key == "example"]:
            told += 1
            jsonschema.Draft202012Validator(
                schema, format_checker=jsonschema.FormatChecker()
            ).validate(example)
    assert told > 1000


def test_every_code_that_a_route_may_refuse_has_its_example(document):
    for _, path, operation in operations(document):
        for status, told in operation["responses"].items():
            if int(status) < 400 or path.startswith("/health"):
                continue
            examples = told["content"]["application/problem+json"]["examples"]
            values = [document["components"]["examples"][name]["value"] for name in examples]
            assert {value["code"] for value in values} == codes_of(document, operation, status)
            assert {value["status"] for value in values} == {int(status)}
            assert all("{" not in value["detail"] for value in values)


def test_what_has_a_revision_is_told_with_its_headers(document):
    change = document["paths"]["/v1/do/people.update"]["post"]
    assert any(it["name"] == "If-Match" for it in change["parameters"])
    assert change["responses"]["200"]["headers"]["ETag"]["required"]
    assert codes_of(document, change, 412) == {"outdated"}
    join = document["paths"]["/v1/rooms/{room_id}/join"]["post"]
    assert "412" not in join["responses"]
    assert not any(it["name"] == "If-Match" for it in join["parameters"])


def test_what_may_be_refused_is_told_and_nothing_is_invented(document):
    join = document["paths"]["/v1/rooms/{room_id}/join"]["post"]
    always = {"400", "401", "408", "413", "415", "422", "429", "500", "503"}
    assert set(join["responses"]) == always | {"200", "403", "404", "409"}
    assert codes_of(document, join, 404) == {"rooms.not_found"}
    assert codes_of(document, join, 409) == {
        "rooms.full",
        "rooms.closed",
        "idempotency.key_reused",
    }
    start = document["paths"]["/v1/rooms/{room_id}/timer/start"]["post"]
    assert codes_of(document, start, 403) == {"not_allowed", "rooms.not_in_it"}


def test_every_refusal_of_the_features_is_told_somewhere(document, engine):
    told = {
        schema["properties"]["code"].get("const")
        for schema in document["components"]["schemas"].values()
        if "code" in schema.get("properties", ())
    }
    # The engine tries a conflict again; the others have no route of their own.
    elsewhere = {"conflict", "stream_not_found", "unknown_message"}
    assert set(engine.registry.refusals) - told == elsewhere


def test_a_secret_is_marked_and_no_answer_shows_a_password(document):
    schemas = document["components"]["schemas"]
    assert schemas["SignIn"]["properties"]["password"]["writeOnly"] is True
    answers = [operation["responses"] for _, _, operation in operations(document)]
    assert "password" not in str(answers)


def test_every_problem_has_a_paragraph_where_its_type_leads(door, document, engine):
    page = door.simulate_get("/docs/problems")
    assert page.headers["content-type"].startswith("text/html")
    for thing in inside(document):
        code = thing.get("code")
        if isinstance(code, dict) and "const" in code:
            assert f'id="{code["const"]}"' in page.text


def test_features_that_are_not_loaded_have_no_routes(engine):
    small = Engine(MemoryStorage(), features=[people], clock=engine.clock, ids=engine.ids)
    client = falcon.testing.TestClient(create_app(small, InlineRunner(small)))
    paths = client.simulate_get("/openapi.json").json["paths"]
    assert "/v1/people/{person_id}" in paths or "/v1/people/me" in paths
    assert not any("rooms" in path for path in paths)
    assert client.simulate_get("/v1/rooms").status_code == 404


def test_every_kind_of_no_has_a_status():
    assert set(STATUS) == set(Kind)
