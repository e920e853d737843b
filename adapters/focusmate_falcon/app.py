"""The app: every message behind its route, for one engine and one runner."""

from collections import defaultdict
from types import SimpleNamespace
from typing import TypeAlias

import falcon.asgi

from focusmate_core.engine import Engine
from focusmate_core.messages import Access
from focusmate_core.ports.runner import Runner
from focusmate_core.registry import Registry
from focusmate_falcon.door import HttpDoor
from focusmate_falcon.endpoints import Behind, Doing, Endpoint
from focusmate_falcon.health import Live, Readiness, Ready, nothing_to_ask
from focusmate_falcon.problems import handle_problems
from focusmate_falcon.requests import DoorRequest
from focusmate_falcon.routes import DO, ROUTES, do_route
from focusmate_falcon.settings import DoorSettings

App: TypeAlias = falcon.asgi.App[DoorRequest, falcon.asgi.Response]


def create_app(
    engine: Engine,
    runner: Runner,
    *,
    settings: DoorSettings | None = None,
    ready: Ready | None = None,
) -> HttpDoor:
    """The ASGI app for one engine, whose calls `runner` runs.

    `ready` says, for `/health/ready`, of each part the server rests on whether it is there.
    """
    settings = settings or DoorSettings()
    app: App = falcon.asgi.App(request_type=DoorRequest)
    handle_problems(app)
    behind = Behind(engine.authenticate, runner, settings.longest_body)
    _add_messages(app, engine.registry, behind)
    app.add_route("/health/live", Live())
    app.add_route("/health/ready", Readiness(ready or nothing_to_ask))
    return HttpDoor(app, settings)


def _add_messages(app: App, registry: Registry, behind: Behind) -> None:
    """A route whose message no loaded feature declares is left out."""
    resources: dict[str, SimpleNamespace] = defaultdict(SimpleNamespace)
    for route in ROUTES:
        if route.wire in registry.messages:
            endpoint = Endpoint(route, registry.messages[route.wire], behind)
            _bind(resources[route.path], route.method, endpoint)
    for path, resource in resources.items():
        app.add_route(path, resource)
    offered = {
        wire: Endpoint(do_route(wire), message, behind)
        for wire, message in registry.messages.items()
        if message.spec.access is not Access.SYSTEM
    }
    app.add_route(DO, Doing(offered))


def _bind(resource: SimpleNamespace, method: str, endpoint: Endpoint) -> None:
    if method == "GET":
        resource.on_get = resource.on_head = endpoint.on_get
    else:
        resource.on_post = endpoint.on_post
