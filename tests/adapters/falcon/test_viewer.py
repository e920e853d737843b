"""The viewer: all it needs comes from here, its policy lets it load that, and nothing else."""

import logging
import re

import falcon.testing
import pytest

from focusmate_core.testing.runner import InlineRunner
from focusmate_falcon import create_app, viewer

SHOWN = ["/docs", "/docs/assets/start.js", "/docs/assets/swagger-ui-bundle.js"]


def policy_of(answer):
    parts = answer.headers["content-security-policy"].split("; ")
    return {
        name: set(values.split()) for name, _, values in (part.partition(" ") for part in parts)
    }


def test_everything_the_page_asks_for_is_here_and_of_its_type(door):
    page = door.simulate_get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    kinds = {"css": "text/css", "js": "text/javascript", "png": "image/png"}
    asked = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
    assert len(asked) == 6
    for path in asked:
        answer = door.simulate_get(path)
        assert answer.status_code == 200, path
        suffix = path.rpartition(".")[2]
        assert answer.headers["content-type"].startswith(kinds.get(suffix, "")), path
    assert "http" not in re.sub(r"https?-equiv", "", page.text)


def test_the_page_runs_under_its_policy(door):
    page = door.simulate_get("/docs")
    policy = policy_of(page)
    assert policy["default-src"] == {"'none'"}
    assert policy["script-src"] == policy["connect-src"] == {"'self'"}
    assert "'unsafe-eval'" not in str(policy)
    assert "style=" not in page.text
    assert not re.search(r"<script(?![^>]*\bsrc=)|\bon\w+=", page.text)
    start = door.simulate_get("/docs/assets/start.js").text
    assert "http" not in start
    assert '"/openapi.json"' in start


def test_pictures_of_the_styles_are_inside_them(door):
    styles = door.simulate_get("/docs/assets/swagger-ui.css").text
    assert not re.search(r"@import|url\((?![\"']?data:)", styles)
    assert "data:" in policy_of(door.simulate_get("/docs"))["img-src"]


@pytest.mark.parametrize("path", SHOWN)
def test_who_has_it_still_is_told_so(door, path):
    first = door.simulate_get(path)
    assert "no-store" not in first.headers["cache-control"]
    again = door.simulate_get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = door.simulate_get(path, headers={"If-None-Match": '"other"'})
    assert other.content == first.content
    assert door.simulate_head(path).headers["etag"] == first.headers["etag"]


@pytest.mark.parametrize("path", ["/docs/problems", "/openapi.json", "/docs/nothing", "/docsy"])
def test_all_else_may_still_load_nothing(door, path):
    answer = door.simulate_get(path, held=False)
    assert policy_of(answer)["default-src"] == {"'none'"}
    assert "script-src" not in policy_of(answer)
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/docs/assets/nothing.js", 404),
        ("POST", "/docs/assets/start.js", 405),
        ("DELETE", "/docs", 405),
        ("OPTIONS", "/docs", 200),
    ],
)
def test_only_what_is_shown_may_be_kept(door, method, path, status):
    answer = door.simulate_request(method, path)
    assert (answer.status_code, answer.headers["cache-control"]) == (status, "no-store")
    assert "script-src" not in policy_of(answer)


def test_without_the_package_there_is_no_page_and_the_log_says_so(engine, monkeypatch, caplog):
    monkeypatch.setattr(viewer, "PACKAGE", "no_such_package")
    viewer.assets.cache_clear()
    with caplog.at_level(logging.WARNING):
        client = falcon.testing.TestClient(create_app(engine, InlineRunner(engine)))
    viewer.assets.cache_clear()
    assert caplog.messages == ["there is no page at /docs: install the package swagger-ui-py"]
    assert client.simulate_get("/docs").json["code"] == "http.not_found"
    assert client.simulate_get("/docs/problems").status_code == 200


def test_a_composition_adds_pages_of_its_own(engine):
    pages = {"/asyncapi.json": (b"{}", "application/json")}
    client = falcon.testing.TestClient(create_app(engine, InlineRunner(engine), pages=pages))
    answer = client.simulate_get("/asyncapi.json")
    assert (answer.json, answer.headers["content-type"]) == ({}, "application/json")
