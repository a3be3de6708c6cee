"""The figures that two sides are compared by, and why these: docs/figures/compare.md."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import NamedTuple

from sessions.metrics import QUANTILES
from sessions.plan.config import ConfigError
from sessions.plan.typed_values import got


class Metric(NamedTuple):
    """One figure. `name` as it is asked for: `ttft.p95`, `output_tps`."""

    name: str
    label: str
    of: str
    """`ttft`, `itl`, `tpot`, `e2e`, or the figure itself."""
    statistic: str = ""
    """Of a latency: `mean`, `p50`, ...; empty for the others."""
    lower_is_better: bool = True

    @property
    def is_tail(self) -> bool:
        """It rests on the few highest values."""
        return self.statistic in ("p90", "p95", "p99")


_WORDS = {"ttft": "TTFT", "itl": "ITL", "tpot": "TPOT", "e2e": "E2E"}
_LATENCY = {
    f"{of}.{statistic}": Metric(f"{of}.{statistic}", f"{_WORDS[of]} {statistic}", of, statistic)
    for of in _WORDS
    for statistic in ("mean", "p50", "p90", "p95", "p99")
    if statistic == "mean" or statistic in QUANTILES
}
METRICS: dict[str, Metric] = {
    **_LATENCY,
    "request_rps": Metric("request_rps", "req/s", "request_rps", lower_is_better=False),
    "output_tps": Metric("output_tps", "tokens/s", "output_tps", lower_is_better=False),
    "goodput_rps": Metric("goodput_rps", "goodput", "goodput_rps", lower_is_better=False),
    "attainment": Metric("attainment", "attainment", "attainment", lower_is_better=False),
    "j_per_output_token": Metric("j_per_output_token", "J/token", "j_per_output_token"),
    "cost": Metric("cost", "cost/M", "cost"),
}
"""All that may be asked for. `cost` is money per million output tokens, and needs a table of prices;
goodput and attainment need targets."""
OF_TARGETS = ("goodput_rps", "attainment")
RISES_WITH_LOAD = ("ttft", "itl", "tpot", "e2e")
"""No lower under more load on the same server; of others that cannot be said."""
USUAL = (
    *("ttft.p50", "ttft.p95", "itl.mean", "itl.p99", "tpot.p50", "e2e.p50", "e2e.p95", "output_tps"),
    *("goodput_rps", "j_per_output_token", "cost"),
)
"""Those taken unless others are asked for; of answers without tokens, `request_rps` for `output_tps`."""


def parse_metrics(text: str) -> list[Metric]:
    """Names with commas between them.

    Raises:
        ConfigError: one is none: what was got, what is allowed.
    """
    found = []
    for name in (part.strip() for part in text.split(",")):
        if name not in METRICS:
            near = difflib.get_close_matches(name, METRICS, 1, 0.6)
            also = "ttft, itl, tpot or e2e with .mean, .p50, .p90, .p95 or .p99; request_rps, output_tps"
            also += ", goodput_rps, attainment, j_per_output_token, cost"
            hint = f"did you mean {near[0]}?" if near else f"need {also}"
            raise ConfigError(f"{got(name)}: no figure to compare by; {hint}")
        if METRICS[name] not in found:
            found.append(METRICS[name])
    return found


def usual(answers_bear_tokens: Sequence[bool]) -> list[Metric]:
    """Those to compare by where nobody asked for any."""
    other = {} if all(answers_bear_tokens) else {"output_tps": "request_rps"}
    return [METRICS[other.get(name, name)] for name in USUAL]
