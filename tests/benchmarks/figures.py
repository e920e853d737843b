"""Percentiles, medians and spreads."""

import math
from collections.abc import Sequence
from statistics import median


def percentile(ordered: Sequence[float], part: float) -> float:
    """Give the nearest-rank percentile of an ascending sequence; of nothing it is infinite."""
    if not ordered:
        return math.inf
    return ordered[max(0, math.ceil(len(ordered) * part / 100) - 1)]


def middle(values: Sequence[float]) -> float | None:
    """Give the median, or None of nothing."""
    return median(values) if values else None


def spread(values: Sequence[float]) -> tuple[float, float] | None:
    """Give the lowest and the highest."""
    return (min(values), max(values)) if values else None
