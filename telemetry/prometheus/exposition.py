"""One /metrics text (Prometheus exposition format) as plain samples, and nothing of it that nobody reads."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

SIMULATED = "ttftop_simulated"
"""A gauge of 1 in the /metrics of ttftop's own simulator."""

MOST_LINES = 10_000
"""A hundred hosts of eight GPUs; parsing so many takes 0.1 s."""


class MetricSample(NamedTuple):
    """One line of the text."""

    name: str
    labels: Mapping[str, str]
    value: float


class Scrape(NamedTuple):
    """When asking for a page began, how long it took, and which source asked."""

    t_ns: int
    took_ns: int
    source: str


def parse(text: str, names: Collection[str]) -> list[MetricSample]:
    """The samples called exactly as one of `names`, in the order of the text.

    A vLLM shows 500 to 5000 lines, most of them histogram buckets: lines that cannot be wanted are
    dropped before the parser sees them.

    Raises:
        ValueError: a wanted line is no Prometheus text, or there are more than `MOST_LINES` of them.
    """
    from prometheus_client.parser import text_string_to_metric_families

    starts = tuple(names)
    wanted = [line for line in text.splitlines() if line.startswith(starts)]
    if len(wanted) > MOST_LINES:
        raise ValueError(f"more than {MOST_LINES} lines")
    return [
        MetricSample(sample.name, sample.labels, _float(sample.value))
        for family in text_string_to_metric_families("\n".join(wanted) + "\n")
        for sample in family.samples
        if sample.name in names
    ]


def _float(value: float) -> float:
    """The parser gives an int where it can, of any length."""
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def simulated(samples: Iterable[MetricSample]) -> bool:
    """Whether the text is from ttftop's own simulator."""
    return any(sample.name == SIMULATED and sample.value == 1 for sample in samples)
