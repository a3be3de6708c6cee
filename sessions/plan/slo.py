"""What figures are held against: `ttft.p99 < 2s`, `output_tps > 2500`, `errors < 1%`; a list is an SLO.

A target passes, fails, or is undecided: a percentile that rests on too few requests says neither.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Sequence
from typing import Literal

import msgspec

from sessions.plan.config import ConfigError
from sessions.plan.slo_limits import NAMED_LIMITS

LATENCIES = ("ttft", "ttft_sent", "itl", "chunk_gap", "tpot", "e2e", "send_lag")
"""In milliseconds. `ttft` is from due, `ttft_sent` from the first byte sent."""
RATES = (
    *("request_rps", "output_tps", "total_tps", "tps_per_user", "output_tps_per_gpu", "goodput_rps"),
    "joules_per_output_token",
)
SHARES = ("errors", "attainment", "gpu_memory")
METRICS = (*LATENCIES, *RATES, *SHARES)
CONFIDENCES = (0.95, 0.99)
_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0, "min": 60_000.0}
_OTHER_WORDS = {"avg": "mean", "average": "mean", "median": "p50", "p100": "max", "errors_rate": "errors"}
_NOT_OURS = {
    "time_to_first_token": "ttft",
    "latency": "e2e",
    "request_latency": "e2e",
    "goodput": "goodput_rps",
    "inter_token_latency": "itl",
    "tbt": "itl",
    "time_per_output_token": "tpot",
    "error_rate": "errors",
}
_TARGET = re.compile(
    r"([A-Za-z][A-Za-z0-9_]*)(?:\.([A-Za-z0-9.]*))?\s*(<=|>=|<|>)\s*([0-9.]+(?:[eE][+-]?[0-9]+)?)\s*([^\s0-9]*)"
)
_PERCENTILE = re.compile(r"p([0-9]{1,2}(?:\.[0-9]{1,3})?)")


class Target(msgspec.Struct, frozen=True):
    """One limit. `limit` is in milliseconds, per second, joules, or a share from 0 to 1."""

    text: str
    metric: str
    statistic: str
    """Of a latency: `mean`, `max` or `p95`; empty for the others."""
    below: bool
    """The figure is to be below `limit`, else above; on it, it passes either way."""
    limit: float
    confidence: float = 0.95
    """With which a percentile or mean is to be known to hold, or not to."""

    @property
    def quantile(self) -> float | None:
        """0.95 of `p95`, 1 of `max`; None of what is no percentile."""
        if self.statistic == "max":
            return 1.0
        found = _PERCENTILE.fullmatch(self.statistic)
        return None if found is None else float(found[1]) / 100


Verdict = Literal["pass", "fail", "undecided"]


def parse_slo(texts: str | Sequence[str]) -> list[Target]:
    """Targets as they are typed: a list with commas, or several; a name of `NAMED_LIMITS` stands for its own.
    `confidence=99%` among them is for all of that list.

    Raises:
        ConfigError: one is none: what was got and what is allowed.
    """
    found: list[Target] = []
    for text in [texts] if isinstance(texts, str) else texts:
        found += _list(text)
    if not found:
        raise ConfigError("got no target, need one such as ttft.p99<2s, output_tps>2500 or errors<1%")
    return found


def kept_targets(texts: Sequence[str]) -> list[Target]:
    """Those of a manifest, which any version may have written: what is no target to this one is left out."""
    found: list[Target] = []
    for text in texts:
        try:
            found += _list(text)
        except ConfigError:
            continue
    return found


def _list(text: str) -> list[Target]:
    found: list[Target] = []
    confidence = None
    for part in filter(None, (part.strip() for part in re.split(r"[,;\n]", text))):
        if ":" in part and not re.search(r"[<>=]", part):
            found += _list(_named(part))
        elif re.match(r"confidence\b", part):
            confidence = _confidence(part)
        else:
            found.append(_target(part))
    return [msgspec.structs.replace(each, confidence=confidence or each.confidence) for each in found]


def _named(name: str) -> str:
    if (text := NAMED_LIMITS.get(name.lower())) is not None:
        return text
    near = difflib.get_close_matches(name.lower(), NAMED_LIMITS, 1, 0.5)
    hint = f"did you mean {near[0]}?" if near else f"need one of {', '.join(NAMED_LIMITS)}"
    raise ConfigError(f"got {name[:60]!r}: no limits have that name; {hint}")


def _confidence(text: str) -> float:
    match = re.fullmatch(r"confidence\s*=\s*([0-9.]+)\s*%", text)
    for known in CONFIDENCES:
        if match is not None and match[1] == f"{known * 100:g}":
            return known
    raise ConfigError(f"got {text[:60]!r}, need confidence=95% or confidence=99%")


def parse_target(text: str) -> Target:
    """One target as it is typed.

    Raises:
        ConfigError: it is none, or several: what was got and what is allowed.
    """
    found = parse_slo(text)
    if len(found) != 1:
        raise ConfigError(f"got {text[:60]!r}, need one target; several are a list")
    return found[0]


def _target(text: str) -> Target:
    match = _TARGET.fullmatch(text)
    if match is None:
        sign = re.search(r"[<>=!≤≥]+", text)
        why = (
            f": {sign[0]} is no comparison, need <, <=, > or >="
            if sign and sign[0] not in ("<", "<=", ">", ">=")
            else ""
        )
        raise ConfigError(
            f"got {text[:60]!r}, need a target such as ttft.p99<2s, output_tps>2500 or errors<1%{why}"
        )
    metric, statistic, sign_, number, unit = match.groups()
    metric = _metric(text, metric)
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ConfigError(f"got {text[:60]!r}: {number[:20]!r} is no number")
    if metric in LATENCIES:
        statistic = _statistic(text, metric, statistic)
        if unit not in _MS:
            raise ConfigError(f"got {text[:60]!r}: a time needs its unit, us, ms, s or m")
        if ">" in sign_:
            raise ConfigError(f"got {text[:60]!r}: a latency is to be short, need <")
        value *= _MS[unit]
        if not value:
            raise ConfigError(f"got {text[:60]!r}: no request takes no time, need more than 0")
    elif statistic is not None:
        raise ConfigError(f"got {text[:60]!r}: {metric} is one figure, without .{statistic}")
    elif metric in SHARES:
        if unit != "%":
            raise ConfigError(f"got {text[:60]!r}: {metric} is a share, such as 1%")
        value /= 100
        if value > 1:
            raise ConfigError(f"got {text[:60]!r}: a share is at most 100%")
    elif unit not in ("", "/s", "rps", "tps"):
        raise ConfigError(f"got {text[:60]!r}: {metric} is per second and takes no unit")
    return Target(text, metric, statistic or "", sign_ in ("<", "<="), value)


def _metric(text: str, metric: str) -> str:
    if metric in METRICS:
        return metric
    word = metric.lower()
    near = [word] if word in METRICS else difflib.get_close_matches(word, METRICS, 1, 0.5)
    if word in _NOT_OURS:
        near = [_NOT_OURS[word]]
    hint = f"did you mean {near[0]}?" if near else f"need one of {', '.join(METRICS)}"
    raise ConfigError(f"got {text[:60]!r}: there is no {metric[:30]!r}; {hint}")


def _statistic(text: str, metric: str, statistic: str | None) -> str:
    if statistic in ("mean", "max"):
        return statistic
    found = _PERCENTILE.fullmatch(statistic or "")
    if found is not None and 0 < float(found[1]) < 100:
        return f"p{float(found[1]):g}"
    word = (statistic or "").lower()
    near = _OTHER_WORDS.get(word) or ("p" + word if re.fullmatch(r"[0-9]{1,2}(\.[0-9]+)?", word) else None)
    if near is None and _PERCENTILE.fullmatch(word) and word not in ("p0", "p00"):
        near = word
    if near is None:
        near = next(iter(difflib.get_close_matches(word, ("mean", "max"), 1, 0.6)), None)
    hint = f"; did you mean {metric}.{near}?" if near else f", as {metric}.p99"
    raise ConfigError(f"got {text[:60]!r}: {metric} needs one of mean, p50, p95, p99 (any pNN) or max{hint}")


def judged(target: Target, figure: float | None, *, thin: bool = False) -> Verdict:
    """`figure` in the unit of `target.limit`; None where it was not measured. `thin`: it rests on too few."""
    if figure is None or thin:
        return "undecided"
    good = figure <= target.limit if target.below else figure >= target.limit
    return "pass" if good else "fail"


def overall(verdicts: Sequence[Verdict]) -> Verdict:
    """Of several targets: `undecided` where there is none."""
    if "fail" in verdicts:
        return "fail"
    return "pass" if verdicts and "undecided" not in verdicts else "undecided"
