"""What a run says, from its timeline: pure, so summing up while records come in and reading the session
afterwards give the same value to the digit.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from sessions.bottleneck.client_headroom import client_headroom
from sessions.bottleneck.client_seconds import client_saturation
from sessions.bottleneck.history import BottleneckHistory
from sessions.metrics import PER_REQUEST, bears_tokens, ttft_from_due
from sessions.plan.slo import kept_targets
from sessions.store.imported import imported_info
from sessions.store.manifest import END_REASONS, Manifest
from sessions.summary.arithmetic import per, total, whole
from sessions.summary.asked import workload_asked
from sessions.summary.by_tag import by_tag
from sessions.summary.by_target import by_target
from sessions.summary.causes import causes_of
from sessions.summary.completeness import other_than_kept, what_is_missing, workers_without_lines
from sessions.summary.cost import cost
from sessions.summary.counts import request_counts
from sessions.summary.energy import energy_use
from sessions.summary.energy_validity import energy_validity
from sessions.summary.exact_quantiles import exact_quantiles, of_multiset
from sessions.summary.imported import of_tool_figures, without_its_client
from sessions.summary.limit import limit_found
from sessions.summary.load_nodes import load_nodes
from sessions.summary.load_span import load_span
from sessions.summary.node_clocks import clock_notes
from sessions.summary.plan_stages import failures_sought, memory_share, plan_result
from sessions.summary.prices import Prices
from sessions.summary.prompt_figures import asked_and_got, prefix_cache
from sessions.summary.quantile_schema import ItlQuantiles
from sessions.summary.schema import End, Mark, Probe, Rate, RequestCounts, Summary, Throughput, Tokens
from sessions.summary.slo_figures import run_slo
from sessions.summary.stages import stages
from sessions.summary.streamed_quantiles import streamed_quantiles
from sessions.summary.telemetry import gpus_over, hosts_over, server_over, telemetry_sources
from sessions.summary.turns import turns
from sessions.summary.validity import cut_off, reasons_against
from sessions.timeline.energy import curves
from sessions.timeline.load_gpus import powered_names
from sessions.timeline.requests import NONE, Requests
from sessions.timeline.stage_list import stages_of
from sessions.timeline.timeline import Timeline

_NOT_BY_A_PERSON = ("start", "stage", "stage_end")
"""Changes of load that come with the run itself."""
_NS_PER_MS, _US_PER_MS = 1e6, 1e3


def summarise(
    timeline: Timeline,
    manifest: Manifest,
    *,
    live: bool = False,
    notes: Sequence[str] = (),
    damaged: Sequence[str] = (),
    prices: Prices | None = None,
) -> Summary:
    """The summary of a timeline that has taken in request lines, too.

    Args:
        live: the run still goes on, so requests in flight are not counted as failed.
        notes: what is to be known of the session's files.
        damaged: names of the files of which something is lost.
        prices: without them there is no money in it.
    """
    rows = timeline.requests.rows
    good = rows[rows["error"] == NONE]
    cut = timeline.requests.cut_off(rows)
    failed = (rows["error"] != NONE) & ~cut
    without_lines = workers_without_lines(timeline)
    end = _end(timeline, manifest, live)
    # A run that could not save all ended in order otherwise: each of its requests had a line, written or not.
    lines_lost = bool(without_lines) or end.reason == "unsaved"
    lines_lost |= any(name.startswith("requests-") for name in damaged)
    counts, errors = request_counts(timeline, live, lines_lost)
    span = load_span(timeline, manifest.config, counts.due)
    start_ns, end_ns = span.start_ns, span.measured_end_ns
    latencies = {name: exact_quantiles(of(good), _NS_PER_MS, bounds=True) for name, of in PER_REQUEST.items()}
    saturated = client_saturation(timeline)
    missing: list[str] = []
    if not live:
        missing += what_is_missing(timeline, manifest, without_lines)
        missing += other_than_kept(manifest, counts)
    causes = causes_of(timeline, errors)
    energy_curves = curves(timeline.gpus, timeline.newest_ns)
    gpu_names = powered_names(timeline.gpus, timeline.newest_ns)
    asked, plan, sought = manifest.config.plan, None, 0
    if asked is not None:
        plan = plan_result(
            timeline, asked, manifest.config.workload, start_ns, not live, energy_curves, len(gpu_names)
        )
        sought = failures_sought(stages_of(asked, timeline.stages), plan.stages, asked.before)
    reasons = reasons_against(counts, errors, end.reason, live, saturated, damaged, missing, causes, sought)
    said = [*notes, *clock_notes(timeline.clocks)]
    if sought:
        said.append(f"{sought} of the failures are what the plan was after: a stage without a success")
    if counts.cut_off and not live:
        said.append(f"{cut_off(counts)}): percentiles lack them")
    tokens = _tokens(timeline, good)
    imported = imported_info(manifest.imported)
    endpoint = str(manifest.server.get("endpoint") or manifest.config.target.endpoint)
    made = Summary(
        id=manifest.session.id,
        name=manifest.session.name,
        note=manifest.session.note,
        target=manifest.target,
        model=manifest.model,
        endpoint=endpoint,
        tls_verified=None if not manifest.has_tls else not manifest.unverified,
        started_at=manifest.session.started_at,
        simulated=manifest.simulated or timeline.simulated(timeline.newest_ns),
        imported=imported,
        valid=not reasons,
        reasons=reasons,
        end=end,
        load_s=span.load_s,
        duration_s=span.duration_s,
        load=manifest.config.load,
        load_changes=sum(change.change not in _NOT_BY_A_PERSON for change in timeline.loads),
        workload=workload_asked(manifest.config, endpoint),
        marks=[
            Mark(round((event.t_ns - start_ns) / 1e9, 3), event.label)
            for event in timeline.events
            if event.kind == "mark"
        ],
        requests=counts,
        errors=errors,
        causes=causes,
        rate=Rate(
            None if manifest.config.load.concurrency is not None else per(counts.due, span.load_s),
            per(counts.sent, span.load_s),
        ),
        throughput=_throughput(counts, tokens, bears_tokens(good), span.duration_s),
        tokens=tokens,
        tokens_per_chunk=_tokens_per_chunk(timeline, good),
        ttft_from_due_ms=latencies["ttft_from_due"],
        ttft_from_sent_ms=latencies["ttft_from_sent"],
        chunk_gap_ms=of_multiset(timeline.requests.gaps.chunk_gaps_us, _US_PER_MS),
        itl_ms=_itl(timeline, good),
        tpot_ms=latencies["tpot"],
        e2e_ms=latencies["e2e"],
        send_lag_ms=latencies["send_lag"],
        ttft_of_failed_ms=exact_quantiles(ttft_from_due(rows[failed]), _NS_PER_MS),
        ttft_of_cut_off_ms=exact_quantiles(ttft_from_due(rows[cut]), _NS_PER_MS),
        streamed=streamed_quantiles(timeline),
        stale_retries=int(rows["stale_retries"].sum()),
        probe=Probe(
            manifest.server.get("probe_requests"),
            _words(manifest.server.get("addresses")),
            _words(manifest.server.get("addresses_left_out")),
        ),
        turns=turns(good),
        gpus=gpus_over(timeline, start_ns, end_ns),
        energy=msgspec.structs.replace(
            energy_use(energy_curves, start_ns, end_ns, tokens.output),
            validity=energy_validity(timeline.gpus, timeline.newest_ns, start_ns, end_ns),
        ),
        cost=cost(prices, gpu_names, span.duration_s, tokens.output, whole(good["input_tokens"])),
        server=server_over(timeline, start_ns, end_ns),
        hosts=hosts_over(timeline, start_ns, end_ns),
        telemetry=telemetry_sources(timeline),
        limits=BottleneckHistory(timeline).spans(start_ns, end_ns),
        stages=stages(
            timeline,
            span,
            energy_curves,
            None if prices is None else prices.together_per_hour(gpu_names),
            manifest.config.load.arrivals if manifest.config.plan is None else None,
            live,
        ),
        nodes=load_nodes(manifest.client),
        client=client_headroom(timeline, manifest, start_ns, end_ns, saturated),
        notes=said,
        plan=plan,
        lengths=asked_and_got(good),
        by_tag=by_tag(timeline.requests, rows),
        by_target=by_target(timeline, manifest, rows, span),
        prefix_cache=prefix_cache(timeline.requests, good),
    )
    if manifest.config.limit is not None and made.plan is not None:
        found = limit_found(timeline, manifest.config, made.limits, start_ns)
        made = msgspec.structs.replace(made, plan=msgspec.structs.replace(made.plan, limit=found))
    targets = manifest.config.slo if asked is None else asked.targets
    slo = run_slo(
        made,
        kept_targets(targets),
        timeline,
        len(gpu_names),
        lambda: memory_share(timeline, (start_ns, end_ns)),
    )
    made = made if slo is None else msgspec.structs.replace(made, slo=slo)
    if imported is None:
        return made
    made = without_its_client(made)
    return made if imported.replayable else of_tool_figures(made, imported)


def _end(timeline: Timeline, manifest: Manifest, live: bool) -> End:
    end = timeline.end or manifest.end
    if end is not None:
        return End(end.reason, end.message or END_REASONS.get(end.reason, end.reason))
    return End(None, "the run is still going on") if live else End("killed", END_REASONS["killed"])


def _tokens(timeline: Timeline, good: Requests) -> Tokens:
    sources = np.unique(good["token_source"][good["output_tokens"] != NONE]).tolist()
    names = [timeline.requests.token_sources[source] for source in sources]
    by_chunks = [source for source, name in zip(sources, names, strict=True) if name == "chunks"]
    return Tokens(
        input=total(good["input_tokens"]),
        cached=total(good["cached_tokens"]),
        output=total(good["output_tokens"]) or 0,
        source="mixed" if len(names) > 1 else next(iter(names), None),
        hidden=total(good["hidden_tokens"]) or 0,
        hidden_unknown=int((good["hidden_tokens"] == NONE).sum()),
        input_unknown=int((good["input_tokens"] == NONE).sum()),
        estimated=total(good["output_tokens"][np.isin(good["token_source"], by_chunks)]) or 0,
    )


def _tokens_per_chunk(timeline: Timeline, good: Requests) -> float | None:
    """Shown ones, over the requests whose tokens the server told."""
    told = (good["output_tokens"] != NONE) & (good["hidden_tokens"] != NONE)
    if "chunks" in timeline.requests.token_sources:
        told &= good["token_source"] != timeline.requests.token_sources.index("chunks")
    names = ("output_tokens", "hidden_tokens", "chunks")
    tokens, hidden, chunks = (int(good[name][told].sum(dtype=np.int64)) for name in names)
    return per(tokens - hidden, chunks)


def _itl(timeline: Timeline, good: Requests) -> ItlQuantiles:
    described = of_multiset(timeline.requests.gaps.itl_us, _US_PER_MS)
    unknown = len(good) - int(good["itl_known"].sum())
    return ItlQuantiles(**msgspec.structs.asdict(described), unknown=unknown)


def _throughput(
    counts: RequestCounts, tokens: Tokens, answers_bear_tokens: bool, seconds: float
) -> Throughput:
    given = None if tokens.input_unknown else tokens.input
    both = None if given is None else given + tokens.output
    return Throughput(
        request_rps=per(counts.succeeded, seconds),
        output_tps=per(tokens.output, seconds) if answers_bear_tokens else None,
        total_tps=per(both, seconds),
        input_tps=per(given, seconds),
    )


def _words(value: object) -> list[str]:
    """Those of a manifest's list that are some."""
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else []
