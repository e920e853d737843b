"""The table people read, the JSON machines read, and the page in docs/ that holds the last one."""

import json
import math
import os
import platform
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.benchmarks.harness import Row

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
HEAD = ("case", "unit", "ours", "peer", "ratio", "bar", "met", "spread", "limit")


def machine(pinned: str, rounds: int) -> dict[str, str]:
    """Say what the figures were measured on."""
    return {
        "cores": f"{os.cpu_count()} × {_model()}",
        "pinned": pinned,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": f"{platform.system()} {platform.machine()}",
        "rounds": str(rounds),
    }


def _model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")),
        "unknown",
    )


def number(value: float | None) -> str:
    """Show three digits that matter."""
    if value is None:
        return "missing"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def ratio(value: float | None) -> str:
    """Show 17.3 ×, or 1/12.4 below one."""
    if value is None:
        return "—"
    return f"{value:.3g} ×" if value >= 1 or value == 0 else f"1/{1 / value:.3g}"


def _cells(row: Row) -> tuple[str, ...]:
    peers = ", ".join(f"{name} {number(value)}" for name, value in row.peers.items())
    met = {True: "yes", False: "**no**", None: "—"}[row.met]
    between = row.spread.get("ratio")
    spread = f"{ratio(between[0])} … {ratio(between[1])}" if between else "—"
    return (
        row.case,
        row.unit,
        number(row.ours),
        peers,
        ratio(row.ratio),
        row.bar or "—",
        met,
        spread,
        row.limit,
    )


def table(rows: Sequence[Row]) -> str:
    """Lay the rows out as one Markdown table, with what is missing under it."""
    cells = [HEAD, *map(_cells, rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEAD))]
    lines = [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in cells
    ]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    notes = dict.fromkeys(note for row in rows for note in row.notes)
    return "\n".join([*lines, *(("", *(f"- {note}" for note in notes)) if notes else ())])


def page(rows: Sequence[Row], facts: dict[str, str]) -> str:
    """Give the table with the machine under it."""
    return (
        table(rows) + "\n\n" + "; ".join(f"{name}: {value}" for name, value in facts.items()) + "."
    )


def write_json(path: Path, rows: Sequence[Row], facts: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"machine": facts, "rows": [_finite(asdict(row)) for row in rows]}
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _finite(value: Any) -> Any:
    """Leave out what JSON cannot say: a wait that never ended."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_docs(path: Path, text: str) -> None:
    """Put the table between the markers of a page."""
    before, found, rest = path.read_text().partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (found and ended):
        raise ValueError(f"{path} has no {BEGIN} … {END}")
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")
