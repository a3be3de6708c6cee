"""What a run says: one object, from the exact times of its requests and the counts of its ticks.

Summing up while records come in and reading the session afterwards give the same object to the digit.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from loadgen.records import Request
from sessions.bottleneck.client_headroom import client
from sessions.bottleneck.client_saturation import Saturation, saturation
from sessions.bottleneck.history import BottleneckHistory
from sessions.metrics import PER_REQUEST, chunk_gaps_us, itl_us
from sessions.store.directory import is_live
from sessions.store.follow import SessionFollower
from sessions.store.manifest import END_REASONS, Manifest, read
from sessions.store.records import AnyRecord
from sessions.summary.exact_quantiles import ExactQuantiles
from sessions.summary.prices import Prices, cost
from sessions.summary.stages import steps
from sessions.summary.telemetry import gpus_over, hosts_over, server_over, sources_over
from sessions.timeline.energy import curves, described, used
from sessions.timeline.load_gpus import powered
from sessions.timeline.timeline import Timeline

FAILED_SHARE = 0.01
SENT_SHARE = 0.95
SATURATED_SHARE = 0.01
"""Limits of what still counts as valid; see docs/figures/metrics.md."""

_SPOILED = {
    "interrupted": "the run was interrupted",
    "aborted": "the run was aborted",
    "worker_lost": "a load worker died",
    "target_lost": "the server was lost",
    "failed": "the run failed",
    "unsaved": "part of what was measured could not be saved",
    "killed": "the run was killed",
}
_ORDER = ("ttft_from_due", "ttft_from_sent", "chunk_gap", "itl", "tpot", "e2e", "send_lag")


class Fold:
    """Takes the records of a session in any order and says at any time what they amount to."""

    def __init__(self) -> None:
        self.timeline = Timeline()
        self._values = {name: ExactQuantiles() for name in _ORDER}
        self._ttft_of_failed = ExactQuantiles()
        self._due = array("d")
        self._ttft = array("d")
        self._sent = array("d")
        self._succeeded: Counter[int] = Counter()
        self._ended: Counter[int] = Counter()
        """Request lines by worker: those that succeeded, and all."""
        self._errors: Counter[str] = Counter()
        self._sources: Counter[str] = Counter()
        self._stale_retries = self._itl_unknown = 0
        self._input_tokens = self._input_known = 0
        self._cached_tokens: int | None = None
        self._output_tokens = self._told_tokens = self._told_chunks = 0
        self._last_end_ns = 0

    def apply(self, record: AnyRecord) -> None:
        """Takes one record in."""
        if not isinstance(record, Request):
            self.timeline.apply(record)
            return
        self._ended[record.worker] += 1
        self._stale_retries += record.stale_retries
        if record.sent_ns is not None:
            self._sent.append(record.sent_ns)
        self._last_end_ns = max(self._last_end_ns, record.end_ns)
        if record.error is not None:
            self._errors[record.error.kind] += 1
            if (ttft := PER_REQUEST["ttft_from_due"](record)) is not None:
                self._ttft_of_failed.add((ttft,))
        else:
            self._success(record)

    def _success(self, request: Request) -> None:
        self._succeeded[request.worker] += 1
        for name, figure in PER_REQUEST.items():
            if (value := figure(request)) is not None:
                self._values[name].add((value,))
                if name == "ttft_from_due":
                    self._due.append(request.due_ns)
                    self._ttft.append(value)
        self._values["chunk_gap"].add(chunk_gaps_us(request))
        gaps = itl_us(request)
        if gaps is None:
            self._itl_unknown += 1
        else:
            self._values["itl"].add(*gaps)
        if request.input_tokens is not None:
            self._input_tokens += request.input_tokens
            self._input_known += 1
        if request.cached_tokens is not None:
            self._cached_tokens = (self._cached_tokens or 0) + request.cached_tokens
        if request.output_tokens is not None:
            self._sources[request.token_source] += 1
            self._output_tokens += request.output_tokens
            if request.token_source != "chunks":
                self._told_tokens += request.output_tokens
                self._told_chunks += request.chunks

    def result(
        self,
        manifest: Manifest,
        *,
        live: bool = False,
        notes: Sequence[str] = (),
        damaged: Sequence[str] = (),
        prices: Prices | None = None,
    ) -> dict[str, object]:
        """The summary. `live`: the run still goes on, so requests in flight are not counted as failed.

        `damaged` names the files of which something is lost. Without `prices` there is no money in it.
        """
        timeline = self.timeline
        reason, message = self._end(manifest, live)
        counts, errors = self._counts(live, any(name.startswith("requests-") for name in damaged))
        start_ns = timeline.first_ns
        load_end_ns = self._load_end_ns(manifest, start_ns, counts["due"])
        end_ns = max(self._last_end_ns, load_end_ns)
        load_s, duration_s = (load_end_ns - start_ns) / 1e9, (end_ns - start_ns) / 1e9
        metrics = {f"{name}_ms": self._values[name].described(_PER_MS[name]) for name in _ORDER}
        metrics["itl_ms"]["unknown"] = self._itl_unknown
        metrics["ttft_of_failed_ms"] = self._ttft_of_failed.described(_PER_MS["ttft_from_due"])
        closed = manifest.config.load.concurrency is not None
        ttft_ms = metrics["ttft_from_due_ms"]["p50"]
        trouble = saturation(
            timeline, start_ns, end_ns, ttft_ms * 1e6 if isinstance(ttft_ms, float) else float("nan")
        )
        reasons = _reasons(counts, errors, reason, live, trouble)
        if damaged:
            reasons.append(f"part of the session is lost: {', '.join(damaged)}")
        input_tokens = self._input_tokens if self._input_known else None
        meters = curves(timeline.gpus, timeline.newest_ns)
        energy = used(meters, start_ns, end_ns)
        names = _names(timeline)
        paid = cost(prices, names, duration_s, self._output_tokens, input_tokens)
        return {
            "id": manifest.session.id,
            "name": manifest.session.name,
            "target": manifest.target,
            "model": manifest.model,
            "endpoint": str(manifest.server.get("endpoint") or manifest.config.target.endpoint),
            "started_at": manifest.session.started_at,
            "simulated": manifest.simulated or timeline.simulated(timeline.newest_ns),
            "valid": not reasons,
            "reasons": reasons,
            "end": {"reason": reason, "message": message},
            "load_s": load_s,
            "duration_s": duration_s,
            "load": _plain(manifest.config.load),
            "load_changes": sum(change.change != "start" for change in timeline.loads),
            "workload": _plain(manifest.config.workload),
            "marks": [
                {"at_s": round((event.t_ns - start_ns) / 1e9, 3), "text": event.label}
                for event in timeline.events
                if event.kind == "mark"
            ],
            "requests": counts,
            "errors": errors,
            "rate": {
                "offered_rps": None if closed else _per(counts["due"], load_s),
                "achieved_rps": _per(counts["sent"], load_s),
            },
            "throughput": {
                "request_rps": _per(counts["succeeded"], duration_s),
                "output_tps": _per(self._output_tokens, duration_s),
                "total_tps": None
                if input_tokens is None
                else _per(input_tokens + self._output_tokens, duration_s),
            },
            "tokens": {
                "input": input_tokens,
                "cached": self._cached_tokens,
                "output": self._output_tokens,
                "source": _source(self._sources),
            },
            "tokens_per_chunk": _per(self._told_tokens, self._told_chunks),
            **metrics,
            "stale_retries": self._stale_retries,
            "probe": {"requests": manifest.server.get("probe_requests")},
            "gpus": gpus_over(timeline, start_ns, end_ns),
            "energy": {"gpus": len(meters), **described(energy, duration_s, self._output_tokens)},
            "cost": paid,
            "server": server_over(timeline, start_ns, end_ns),
            "hosts": hosts_over(timeline, start_ns, end_ns),
            "telemetry": sources_over(timeline),
            "limits": msgspec.to_builtins(BottleneckHistory(timeline).spans(start_ns, end_ns)),
            "steps": steps(
                timeline,
                start_ns,
                load_end_ns,
                np.array(self._due),
                np.array(self._ttft),
                np.array(self._sent),
                meters,
                None if prices is None else prices.together_per_hour(names),
            ),
            "client": client(timeline, manifest, start_ns, end_ns, trouble),
            "notes": list(notes),
        }

    def _end(self, manifest: Manifest, live: bool) -> tuple[str | None, str]:
        end = self.timeline.end or manifest.end
        if end is not None:
            return end.reason, end.message or END_REASONS.get(end.reason, end.reason)
        return (None, "the run is still going on") if live else ("killed", END_REASONS["killed"])

    def _counts(self, live: bool, lines_lost: bool) -> tuple[dict[str, int], dict[str, int]]:
        """Due, sent, succeeded, failed, not sent; failures by kind, most frequent first.

        Ticks know what was due and sent, request lines how each ended; after a kill either may know of a
        little more than the other. Of an ended run every request sent has succeeded or failed.
        """
        ticks = self.timeline.ticks
        due = sent = not_sent = 0
        for worker in sorted({*self.timeline.workers, *self._ended}):
            rows = ticks["worker"] == worker
            worker_sent = max(int(ticks["sent"][rows].sum()), self._ended[worker])
            worker_due = max(int(ticks["due"][rows].sum()), worker_sent)
            sent += worker_sent
            due += worker_due
            not_sent += min(int(ticks["not_sent"][rows].sum()), worker_due - worker_sent)
        succeeded, failed = sum(self._succeeded.values()), sum(self._errors.values())
        errors = Counter(self._errors)
        if not live:
            not_sent = due - sent
            if unfinished := sent - succeeded - failed:
                errors["lost_record" if lines_lost else "unfinished"] += unfinished
                failed += unfinished
        counts = {"due": due, "sent": sent, "succeeded": succeeded, "failed": failed, "not_sent": not_sent}
        return counts, dict(sorted(errors.items(), key=lambda item: (-item[1], item[0])))

    def _load_end_ns(self, manifest: Manifest, start_ns: int, due: int) -> int:
        """When the load ended: drained, ended, its time or number of requests up, or held for good."""
        timeline, load = self.timeline, manifest.config.load
        ends = [t_ns for t_ns, state, _ in timeline.states if state in ("draining", "ended")]
        end_ns = min(ends, default=timeline.end.t_ns if timeline.end is not None else self._newest_ns())
        if load.duration_s is not None:
            end_ns = min(end_ns, start_ns + round(load.duration_s * 1e9))
        busy = timeline.ticks["t"][timeline.ticks["due"] > 0]
        if load.requests is not None and due >= load.requests and len(busy):
            end_ns = min(end_ns, int(busy.max()))
        change = timeline.load(end_ns)
        if change is not None and change.t_ns > start_ns and not (change.rate_rps or change.concurrency):
            end_ns = change.t_ns
        return max(end_ns, start_ns)

    def _newest_ns(self) -> int:
        ticks = self.timeline.ticks["t"]
        return max(int(ticks.max(initial=0)), self._last_end_ns)


_PER_MS = {name: 1e3 if name in ("chunk_gap", "itl") else 1e6 for name in _ORDER}


def _names(timeline: Timeline) -> list[str]:
    """Of the GPUs that the load runs on, as their driver calls them; of a part of one, the whole."""
    at_ns = timeline.newest_ns
    return [gpu.device(at_ns).name for gpu in powered(timeline.gpus, at_ns)]


def _plain(asked: msgspec.Struct) -> dict[str, object]:
    """All its fields, those that hold their default too."""
    fields = msgspec.structs.asdict(asked).items()
    return {name: _plain(value) if isinstance(value, msgspec.Struct) else value for name, value in fields}


def _per(amount: float, seconds: float) -> float | None:
    return amount / seconds if seconds > 0 else None


def _source(sources: Counter[str]) -> str | None:
    """Where the output tokens came from; `mixed` when not always from the same place, None without any."""
    if len(sources) > 1:
        return "mixed"
    return next(iter(sources), None)


def _reasons(
    counts: dict[str, int], errors: dict[str, int], reason: str | None, live: bool, trouble: Saturation
) -> list[str]:
    """Why the result should not be relied on; [] when it may be."""
    due, sent, failed = counts["due"], counts["sent"], counts["failed"]
    reasons = []
    if reason is None:
        reasons.append("the run is still going on")
    elif reason in _SPOILED:
        reasons.append(_SPOILED[reason])
    if not sent:
        reasons.append("nothing was sent")
    if failed > FAILED_SHARE * sent:
        cut = errors.get("unfinished")
        reasons.append(
            f"{failed} of {sent} requests failed ({failed / max(sent, 1):.1%}, allowed {FAILED_SHARE:.0%})"
            + (f", {cut} of them because the run ended first" if cut else "")
        )
    if sent < SENT_SHARE * due and not live:
        reasons.append(f"{sent} of {due} due requests were sent ({sent / due:.1%}, needed {SENT_SHARE:.0%})")
    if trouble.seconds > SATURATED_SHARE * trouble.of_seconds:
        reasons.append(
            f"the client was saturated for {trouble.seconds} of {trouble.of_seconds} s: {trouble.note}"
        )
    return reasons


def summarise(directory: Path, prices: Prices | None = None) -> dict[str, object]:
    """The summary of a session on disk, also of one that still runs or was killed.

    `prices` is for its money, of which there is none without.

    Raises:
        SessionError: the session's manifest cannot be read.
    """
    manifest = read(directory)
    locked = is_live(directory)
    files = SessionFollower(directory, requests=True)
    fold = Fold()
    while True:
        for record in files.poll():
            fold.apply(record)
        if not files.behind:
            break
    files.close()
    if locked and fold.timeline.end is None:
        return fold.result(manifest, live=True, prices=prices)
    return fold.result(manifest, notes=files.notes(), damaged=files.damaged, prices=prices)
