"""The worker role on its own: keeps time for the process that writes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

from focusmate_core.registry import Registry
from focusmate_server import signals
from focusmate_server.places import Places, places_of
from focusmate_server.settings import Settings
from focusmate_server.wiring import open_engine
from focusmate_server.worker import (
    DUE,
    JOB_WITHIN_S,
    SUBSCRIBERS,
    SUBSCRIBERS_WITHIN_S,
    SWEEP,
    Worker,
)
from focusmate_server.writer_client import WriterClient

END_WITHIN_S = 5.0


def serve_worker(settings: Settings, announce: Callable[[], None]) -> None:
    """Work until SIGTERM or SIGINT; `NoWriter` if no process writes."""
    engine = open_engine(settings, hashes=False)
    clients = _clients(places_of(settings), engine.registry)
    worker = Worker(engine, lambda job: clients[job].job(job))
    end = threading.Event()
    for number in signals.that_end():
        signal.signal(number, lambda *_: end.set())
    worker.start()
    announce()
    end.wait()
    worker.stop(END_WITHIN_S)
    for client in clients.values():
        client.close()
    engine.storage.close()


def _clients(places: Places, registry: Registry) -> dict[str, WriterClient]:
    """A connection a job: subscribers may be slow, and no timer waits for them."""
    slow = {SUBSCRIBERS: SUBSCRIBERS_WITHIN_S}
    return {
        job: WriterClient(places, registry, timeout=slow.get(job, JOB_WITHIN_S))
        for job in (DUE, SUBSCRIBERS, SWEEP)
    }
