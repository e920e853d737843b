"""Logs: one line an event on stderr, our own and the libraries' alike, for people or as JSON."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from focusmate_server.settings import Settings

QUIET = {
    "asyncio": logging.WARNING,
    "uvicorn": logging.WARNING,
    "uvicorn.error": logging.ERROR,
    "alembic": logging.WARNING,
}
"""Libraries that tell below this what concerns only themselves; uvicorn warns of every request that
is none or would be a WebSocket, so that a stranger could fill the log."""


def set_up(settings: Settings, role: str) -> None:
    """Send everything that is logged to stderr, each line with the role it comes from."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_role(role),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(shared, settings.log_format))
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name, least in QUIET.items():
        logging.getLogger(name).setLevel(max(level, least))


def _formatter(shared: list[Any], log_format: str) -> logging.Formatter:
    formatter = structlog.stdlib.ProcessorFormatter
    last = [formatter.remove_processors_meta, *_rendering(log_format)]
    return formatter(foreign_pre_chain=shared, processors=last)


def _with_role(role: str) -> Any:
    def add(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
        event["role"] = role
        return event

    return add


def _rendering(log_format: str) -> list[Any]:
    if log_format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    # rich, where it is installed, would print the values of local variables: secrets among them.
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
