"""What `[[stages]]` of a plan comes to: its lists spread out, its values read and checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any, TypeVar

import msgspec

from loadgen.workload.lengths import LengthError, parse_lengths
from loadgen.workload.prefixes import PrefixError, parse_prefixes
from sessions.plan import typed_values
from sessions.plan.config import BURSTINESS_RANGE, LEAST_BURSTINESS, MOST_BURSTINESS, ConfigError
from sessions.plan.mix import MixError, MixPart, check_prompts, parse_mix
from sessions.plan.plan_table import StageTable
from sessions.plan.stages import Stage
from sessions.plan.think_time import parse_think, parse_turns
from sessions.plan.trace_config import TraceConfig

Path = tuple[str | int, ...]
"""Where something stands in a plan: `("stages", 0, "rate")`."""
OnError = Callable[[Path, str], ConfigError]
"""Makes the error: what is wrong, and where."""
_T = TypeVar("_T")


def spread(
    path: Path,
    table: StageTable,
    before: Sequence[Stage],
    error: OnError,
    parts: Sequence[MixPart] = (),
) -> Iterator[Stage]:
    """The stages of one table: lengths outermost, then repetitions, then loads. `before`: those before it;
    `parts`: what a mix may name.

    Raises:
        ConfigError: as `error` makes it, of the first that cannot be. `path` is where the table stands.
    """
    if table.between is not None:
        yield from _between(path, table, before, error, parts)
        return
    lengths = _zipped(error, path, table, ("input_tokens", "output_tokens"))
    loads = _zipped(
        error, path, table, ("rate", "concurrency", "speed", "trace_rate", "duration", "requests")
    )
    if not 1 <= table.repeat <= 100:
        raise error((*path, "repeat"), f"got {table.repeat}, need 1 to 100")
    repeats = range(1, table.repeat + 1)
    for length, repeat, load in product(lengths, repeats, loads):
        stage = _stage(error, path, table, {**length, **load}, repeat if table.repeat > 1 else None)
        yield msgspec.structs.replace(stage, **_asked(error, path, table, parts))


def _asked(error: OnError, path: Path, table: StageTable, parts: Sequence[MixPart]) -> dict[str, Any]:
    """What its requests ask for, beside their lengths."""
    mix = None
    if table.mix is not None:
        try:
            mix = parse_mix(table.mix, parts)
        except MixError as refused:
            raise error((*path, "mix"), str(refused)) from None
    return {
        "prefix": _checked(error, (*path, "prefix"), parse_prefixes, PrefixError, table.prefix),
        "prompts": _checked(error, (*path, "prompts"), check_prompts, MixError, table.prompts),
        "mix": mix,
    }


def _between(
    path: Path, table: StageTable, before: Sequence[Stage], error: OnError, parts: Sequence[MixPart]
) -> Iterator[Stage]:
    """Rates evenly apart, both ends left out: the stages that they lie between ran already."""
    if table.rate is not None or table.concurrency is not None or table.ramp is not None:
        raise error((*path, "between"), "it says the rates; leave rate, concurrency and ramp out")
    if isinstance(table.duration, list) or table.duration is None or table.requests is not None:
        raise error((*path, "duration"), "each of these stages needs one duration")
    numbers = {stage.name: number for number, stage in enumerate(before)}
    ends = [numbers.get(name) for name in table.between or ()]
    if len(ends) != 2 or None in ends:
        known = ", ".join(numbers) or "none"
        raise error((*path, "between"), f"need the names of two stages before it; there are: {known}"[:300])
    if not 1 <= table.steps <= 100:
        raise error((*path, "steps"), f"got {table.steps}, need 1 to 100")
    plain = msgspec.structs.replace(table, between=None, rate=1.0)
    for step in range(1, table.steps + 1):
        (stage,) = spread(path, plain, before, error, parts)
        share = step / (table.steps + 1)
        name = f"{table.name or 'sweep'} {step}/{table.steps}"
        low, high = ends
        assert low is not None and high is not None  # noqa: PT018
        yield msgspec.structs.replace(stage, name=name, rate_rps=None, between=(low, high), share=share)


def _zipped(error: OnError, path: Path, table: StageTable, keys: Sequence[str]) -> list[dict[str, Any]]:
    """Values of `keys`, those that are lists taken in step."""
    values = {key: getattr(table, key) for key in keys}
    lists = {key: value for key, value in values.items() if isinstance(value, list)}
    if not lists:
        return [values]
    longest = max(map(len, lists.values()))
    for key, value in lists.items():
        if len(value) != longest or not value:
            raise error((*path, key), f"a list of {len(value)} beside one of {longest}")
    return [{key: lists[key][i] if key in lists else values[key] for key in keys} for i in range(longest)]


def _stage(
    error: OnError, path: Path, table: StageTable, got: dict[str, Any], repetition: int | None
) -> Stage:
    rate_rps = _at(error, (*path, "rate"), typed_values.rate, got["rate"])
    ramp = _at(error, (*path, "ramp"), typed_values.ramp, table.ramp)
    concurrency: int | None = got["concurrency"]
    trace = _trace(error, path, table, got)
    if sum(value is not None for value in (rate_rps, ramp, concurrency, trace)) != 1:
        raise error(path, "need one of rate, ramp, concurrency and trace")
    if concurrency is not None and not 1 <= concurrency <= 1_000_000:
        raise error((*path, "concurrency"), f"got {concurrency}, need a whole number of at least 1")
    if concurrency is not None and table.arrivals is not None:
        raise error((*path, "arrivals"), "a closed loop has no arrivals")
    _check_burstiness(error, (*path, "burstiness"), table, concurrency)

    def number(key: str, value: Any) -> int | None:
        def read(text: str) -> int:
            if re.fullmatch(r"\d{1,12}", text) and int(text) > 0:
                return int(text)
            return typed_values.multiple(text, rate_rps, concurrency)

        return _at(error, (*path, key), read, value)

    def time(key: str, value: Any) -> float | None:
        return _at(error, (*path, key), typed_values.seconds, value)

    duration_s = time("duration", got["duration"])
    requests = number("requests", got["requests"])
    if duration_s is None and requests is None and ramp is None and trace is None:
        raise error(path, "it has no end: need a duration or a number of requests")
    if not table.drain and duration_s is None and ramp is None:
        raise error((*path, "drain"), "without a duration the last answer ends the stage; leave drain out")
    stage = Stage(
        name=table.name,
        rate_rps=rate_rps,
        ramp=ramp,
        concurrency=concurrency,
        trace=trace,
        arrivals=table.arrivals or ("poisson" if table.burstiness is None else "gamma"),
        burstiness=1.0 if table.burstiness is None else table.burstiness,
        duration_s=duration_s if ramp is None else min(duration_s or ramp.over_s, ramp.over_s),
        requests=requests,
        warm_up_s=time("warm_up", table.warm_up) or 0.0,
        warm_up_requests=number("warm_up_requests", table.warm_up_requests) or 0,
        pause_s=time("pause", table.pause) or 0.0,
        drain=table.drain,
        input_tokens=_checked(
            error, (*path, "input_tokens"), parse_lengths, LengthError, got["input_tokens"]
        ),
        output_tokens=_checked(
            error, (*path, "output_tokens"), parse_lengths, LengthError, got["output_tokens"]
        ),
        turns=_checked(error, (*path, "turns"), parse_turns, LengthError, table.turns),
        think=None
        if table.think is None
        else _checked(error, (*path, "think"), parse_think, LengthError, str(table.think)),
        repetition=repetition,
        table=path[1] if len(path) > 1 and isinstance(path[1], int) else 0,
        stop=table.stop,
    )
    if stage.duration_s is not None and stage.warm_up_s >= stage.duration_s:
        raise error((*path, "warm_up"), "it is part of the duration: nothing would be measured")
    if stage.requests is not None and stage.warm_up_requests >= stage.requests:
        raise error((*path, "warm_up_requests"), "they are part of the requests: nothing would be measured")
    return msgspec.structs.replace(stage, name=_named(table, stage))


def _trace(error: OnError, path: Path, table: StageTable, got: dict[str, Any]) -> TraceConfig | None:
    """As it is asked for: what stands in its file is read where there is a run to be."""
    speed = _at(error, (*path, "speed"), typed_values.speed, got["speed"])
    rate_rps = _at(error, (*path, "trace_rate"), typed_values.rate, got["trace_rate"])
    if table.trace is None:
        for key in ("speed", "trace_rate"):
            if got[key] is not None:
                raise error((*path, key), "it is of a trace: need trace as well")
        return None
    if speed is not None and rate_rps is not None:
        raise error((*path, "trace_rate"), "it says how fast the trace is; leave speed out")
    for key in ("arrivals", "burstiness", "input_tokens", "output_tokens", "turns", "think"):
        if getattr(table, key) is not None:
            raise error((*path, key), f"the trace says it; leave {key} out")
    return TraceConfig(table.trace, speed=speed, rate_rps=rate_rps)


def _check_burstiness(error: OnError, path: Path, table: StageTable, concurrency: int | None) -> None:
    if table.burstiness is None:
        return
    if concurrency is not None or table.arrivals not in (None, "gamma"):
        raise error(path, "it is of gamma arrivals alone")
    if not LEAST_BURSTINESS <= table.burstiness <= MOST_BURSTINESS:
        raise error(path, f"got {table.burstiness:g}, need {BURSTINESS_RANGE}")


def _at(error: OnError, path: Path, read: Callable[[str], _T], value: Any) -> _T | None:
    if value is None:
        return None
    try:
        return read(f"{value:g}" if isinstance(value, float) else str(value))
    except ConfigError as refused:
        raise error(path, str(refused)) from None


def _checked(
    error: OnError, path: Path, read: Callable[[Any], object], refusal: type[ValueError], value: _T
) -> _T:
    """`value` itself, which `read` understands, unless it is None or an empty text, which is as none."""
    try:
        if value is not None and value != "":
            read(value)
    except refusal as refused:
        raise error(path, str(refused)) from None
    return value


def _named(table: StageTable, stage: Stage) -> str:
    """What a stage is called: its own name and what its lists made it."""
    parts = [table.name] if table.name else []
    if isinstance(table.input_tokens, list):
        parts.append(f"{stage.input_tokens} in")
    if isinstance(table.output_tokens, list):
        parts.append(f"{stage.output_tokens} out")
    if stage.rate_rps is not None and (isinstance(table.rate, list) or not table.name):
        parts.append(f"{stage.rate_rps:g} rps")
    if stage.concurrency is not None and (isinstance(table.concurrency, list) or not table.name):
        parts.append(f"concurrency {stage.concurrency}")
    if stage.trace is not None and not table.name:
        parts.append(f"trace {stage.trace.name}")
    if stage.trace is not None and stage.trace.speed is not None:
        parts.append(f"{stage.trace.speed:g}x")
    if stage.trace is not None and stage.trace.rate_rps is not None:
        parts.append(f"{stage.trace.rate_rps:g} rps")
    if stage.ramp is not None and not table.name:
        parts.append(f"{stage.ramp.from_rps:g} to {stage.ramp.to_rps:g} rps")
    if stage.repetition is not None:
        parts.append(f"#{stage.repetition}")
    return ", ".join(parts)
