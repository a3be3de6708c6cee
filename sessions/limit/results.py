"""What the steps of a search came to, as a session keeps it: to be summed up, and to go on from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from loadgen.decoding import ready
from sessions.limit.search import Ask, Result, highest_passed, lowest_failed
from sessions.plan.config import RunConfig
from sessions.plan.slo import kept_targets

_result = msgspec.json.Decoder(ready(Result))


def ask_of(config: RunConfig) -> Ask:
    """What a run searches for."""
    limit, load = config.limit, config.load
    assert limit is not None
    highest = float(load.max_in_flight) if limit.closed else load.max_rate_rps
    return Ask(kept_targets(config.slo), limit.closed, min(limit.most or highest, highest), limit.first)


def results_of(texts: Iterable[str]) -> list[Result]:
    """Those that can be read, in order."""
    return [result for text in texts if (result := read_result(text)) is not None]


def read_result(text: str) -> Result | None:
    """None where there is none, or one that only another version could have written."""
    try:
        result = _result.decode(text) if text else None
    except (msgspec.DecodeError, ValueError):
        return None
    sane = result is not None and result.step.load > 0 and (not result.of or result.independent > 0)
    return result if sane else None


def bracket(results: Sequence[Result]) -> tuple[float | None, float | None]:
    """The highest load that passed below all that failed, and the lowest that failed; None where none did."""
    steps = [result for result in results if result.step.purpose != "single"]
    return highest_passed(steps), lowest_failed(steps)
