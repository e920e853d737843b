"""The app: every message behind its route, for one engine and one runner."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import TypeAlias

import falcon
import falcon.asgi
import orjson

from focusmate_core.engine import Engine
from focusmate_core.messages import Access
from focusmate_core.ports.limits import Limits
from focusmate_core.ports.runner import Runner
from focusmate_core.registry import Registry
from focusmate_falcon.door import HttpDoor
from focusmate_falcon.endpoints import Behind, Endpoint, UnknownName
from focusmate_falcon.health import LIVE, READY, Live, Readiness, Ready, nothing_to_ask
from focusmate_falcon.metering import Meters
from focusmate_falcon.openapi import Document
from focusmate_falcon.pages import Page, problems_page
from focusmate_falcon.problems import PAGE, handle_problems
from focusmate_falcon.requests import DoorRequest
from focusmate_falcon.routes import DO, ROUTES, Route, do_route
from focusmate_falcon.settings import DoorSettings
from focusmate_falcon.viewer import add_viewer

App: TypeAlias = falcon.asgi.App[DoorRequest, falcon.asgi.Response]


def create_app(
    engine: Engine,
    runner: Runner,
    *,
    settings: DoorSettings | None = None,
    ready: Ready | None = None,
    limits: Limits | None = None,
    pages: Mapping[str, tuple[bytes, str]] | None = None,
) -> HttpDoor:
    """The ASGI app for one engine, whose calls `runner` runs.

    `ready` says, for `/health/ready`, of each part the server rests on whether it is there;
    `limits` counts where the settings have rates; `pages` are served as they are: by path, their
    bytes and media type.
    """
    settings = settings or DoorSettings()
    meters = Meters(settings, limits)
    app: App = falcon.asgi.App(request_type=DoorRequest)
    handle_problems(app)
    behind = Behind(engine.authenticate, runner, settings.longest_body, meters)
    _add_messages(app, engine.registry, behind)
    _add_pages(app, {PAGE: (problems_page(engine.registry), falcon.MEDIA_HTML), **(pages or {})})
    app.add_route(LIVE, Live())
    app.add_route(READY, Readiness(ready or nothing_to_ask))
    return HttpDoor(app, settings, meters.requests)


def _add_messages(app: App, registry: Registry, behind: Behind) -> None:
    resources: dict[str, SimpleNamespace] = defaultdict(SimpleNamespace)
    for route in _offered(registry):
        endpoint = Endpoint(route, registry.messages[route.wire], behind)
        _bind(resources[route.path], route.method, endpoint)
    for path, resource in resources.items():
        app.add_route(path, resource)
    app.add_route(DO, UnknownName())
    app.add_route("/openapi.json", Page(lambda: _document(registry), falcon.MEDIA_JSON))


def _add_pages(app: App, pages: Mapping[str, tuple[bytes, str]]) -> None:
    add_viewer(app)
    for path, (content, media_type) in pages.items():
        app.add_route(path, Page(content, media_type))


def _document(registry: Registry) -> bytes:
    document = Document(registry)
    for route in _offered(registry):
        document.add(route)
    return orjson.dumps(document.finished())


def _offered(registry: Registry) -> Iterator[Route]:
    """The routes of what is loaded, and every message by its name, but for the system's own."""
    yield from (route for route in ROUTES if route.wire in registry.messages)
    for wire, message in registry.messages.items():
        if message.spec.access is not Access.SYSTEM:
            yield do_route(wire)


def _bind(resource: SimpleNamespace, method: str, endpoint: Endpoint) -> None:
    if method == "GET":
        resource.on_get = resource.on_head = endpoint.on_query
    else:
        setattr(resource, f"on_{method.lower()}", endpoint.on_command)
