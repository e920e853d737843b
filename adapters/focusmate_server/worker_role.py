"""The worker role on its own: keeps time for the process that writes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

from focusmate_server import signals
from focusmate_server.places import places_of
from focusmate_server.settings import Settings
from focusmate_server.wiring import open_engine
from focusmate_server.worker import Worker
from focusmate_server.writer_client import WriterClient

END_WITHIN_S = 5.0


def serve_worker(settings: Settings, announce: Callable[[], None]) -> None:
    """Work until SIGTERM or SIGINT; `NoWriter` if no process writes."""
    engine = open_engine(settings)
    client = WriterClient(places_of(settings), engine.registry)
    worker = Worker(engine, client.job)
    end = threading.Event()
    for number in signals.that_end():
        signal.signal(number, lambda *_: end.set())
    worker.start()
    announce()
    end.wait()
    worker.stop(END_WITHIN_S)
    client.close()
    engine.storage.close()
