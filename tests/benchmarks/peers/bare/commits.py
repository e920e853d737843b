"""One durable commit after another: what the disk allows who commits each write by itself."""

import argparse
import sqlite3
import time
from pathlib import Path

from tests.benchmarks.load.plans import say


def commits_per_second(folder: Path, lasts: float) -> float:
    """Update one row and commit, WAL and synchronous=FULL, as often as it goes."""
    path = folder / "commits.db"
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in (
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "CREATE TABLE IF NOT EXISTS rooms (id INTEGER PRIMARY KEY, turn INTEGER)",
        "INSERT OR REPLACE INTO rooms VALUES (1, 0)",
    ):
        connection.execute(statement)
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < lasts:
        connection.execute("UPDATE rooms SET turn = turn + 1 WHERE id = 1")
        done += 1
    rate = done / (time.perf_counter() - began)
    connection.close()
    return rate


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="commits")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=2.0)
    given = parser.parse_args()
    say(rate=commits_per_second(given.folder, given.seconds))
