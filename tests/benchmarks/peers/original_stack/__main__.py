"""Serve the original stack, tuned: uvicorn on uvloop and httptools, no access log."""

import argparse

import uvicorn

from tests.benchmarks.peers.original_stack.app import application
from tests.benchmarks.peers.original_stack.settings import Settings


def main() -> None:
    """Listen on 127.0.0.1 until told to end."""
    parser = argparse.ArgumentParser(prog="original_stack")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--argon2", default="65536,3,4", help="memory in KiB, passes, lanes")
    parser.add_argument("--writers", type=int, default=Settings.writers)
    parser.add_argument("--websockets", default="websockets-sansio")
    given = parser.parse_args()
    memory, passes, lanes = (int(part) for part in given.argon2.split(","))
    settings = Settings(given.database, memory, passes, lanes, given.writers)
    uvicorn.run(
        application(settings),
        host="127.0.0.1",
        port=given.port,
        loop="uvloop",
        http="httptools",
        ws=given.websockets,
        ws_per_message_deflate=False,
        access_log=False,
        log_level="warning",
        backlog=4096,
        timeout_keep_alive=65,
    )


main()
