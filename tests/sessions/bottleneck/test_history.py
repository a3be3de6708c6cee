"""The line of what binds over recorded runs: on what it rests, when it changes, and live and replay agree."""

from __future__ import annotations

import re
from typing import Any

import pytest

from loadgen.records import TICK_NS, Tick, WorkerNote
from loadgen.sketch import bucket
from sessions.bottleneck.evidence_by_second import evidence
from sessions.bottleneck.history import BottleneckHistory
from sessions.bottleneck.rules import IDLE, ROOM, UNKNOWN
from sessions.store.records import LoadChange
from sessions.timeline.timeline import Timeline
from telemetry.records import GpuDevice, GpuDevices, GpuSample, GpuSamples, ServerSample

S = 1_000_000_000
BEGIN_S = 2


def tick(t_ns: int, rps: float, in_flight: int, worker: int = 0, **more: Any) -> Tick:
    sent = round(rps / 4)
    return Tick(
        t_ns=t_ns, dt_ns=TICK_NS, worker=worker, cpu_ns=20_000_000, loop_lag_max_ns=300_000, rate_rps=rps,
        **{"due": sent, "sent": sent, "succeeded": sent, "output_tokens": 64 * sent, "chunks": 64 * sent, "reads": 64 * sent,
           "in_flight": in_flight, "e2e": [bucket(S), sent], "ttft_from_due": [bucket(S // 10), sent],
           "send_lag": [bucket(S // 1000), sent]} | more,
    )  # fmt: skip


def ramp(seconds: int = 60) -> list[Any]:
    """From 8 to 40 rps at 20 s; from 22 s on the KV cache fills and requests wait; at 40 s back to 8 rps."""
    records: list[Any] = [LoadChange(t_ns=BEGIN_S * S, change="start", rate_rps=8.0)]
    records += [
        LoadChange(t_ns=20 * S, change="rate", rate_rps=40.0),
        LoadChange(t_ns=40 * S, change="rate", rate_rps=8.0),
    ]
    preempted = 0.0
    for i in range(BEGIN_S * 4 + 1, 4 * seconds + 1):
        t_ns = i * TICK_NS
        heavy, full = 20 * S < t_ns <= 40 * S, 22 * S < t_ns <= 42 * S
        preempted += 0.5 if full else 0.0
        records.append(tick(t_ns, 40.0 if heavy else 8.0, 60 if full else 9))
        records.append(
            ServerSample(
                t_ns=t_ns - 10_000_000,
                took_ns=1,
                source="metrics",
                running=44.0 if full else 9.0,
                waiting=16.0 if full else 0.0,
                kv_pct=98.0 if full else 20.0,
                preemptions=preempted,
            )
        )
    return records


def folded(records: list[Any]) -> Timeline:
    timeline = Timeline()
    for record in records:
        timeline.apply(record)
    return timeline


def names(log: BottleneckHistory, to_s: int) -> list[str]:
    return [log.at(t * S).limit for t in range(to_s + 1)]


def test_a_ramp_goes_from_room_to_kv_cache_and_back():
    log = BottleneckHistory(folded(ramp()))
    spans = log.spans(BEGIN_S * S, 60 * S)
    assert [span.limit for span in spans] == [ROOM, "KV cache", ROOM]
    assert spans[0].from_s == 0.0
    assert spans[-1].to_s == 58.0
    # Full from 22 s (20 s after the beginning): the first preemption says so, at the end of that second.
    assert spans[1].from_s == 21.0
    # Free from 42 s: preemptions are looked at over 5 s, and four seconds must agree.
    assert spans[2].from_s == 48.0
    assert spans[1].to_s == spans[2].from_s
    # In the summary as on the screen.
    assert [span.from_s for span in spans[1:]] == [event.t_ns / S - BEGIN_S for event in log.events(60 * S)]
    assert str(spans[1].why).endswith("waiting")


def test_each_change_is_an_event_at_its_time():
    log = BottleneckHistory(folded(ramp()))
    events = log.events(60 * S)
    assert [event.label.split("  ")[0] for event in events] == [
        "binds: KV cache",
        "binds: headroom",
    ]
    assert all(event.kind == "limit" and event.t_ns % S == 0 for event in events)
    assert [log.at(event.t_ns).limit for event in events] == ["KV cache", ROOM]
    assert [log.at(event.t_ns - 1).limit for event in events] == [ROOM, "KV cache"]
    assert log.events(30 * S) == events[:1]


def test_a_load_that_begins_late_in_its_second_and_finds_room_is_no_change():
    late = [LoadChange(t_ns=BEGIN_S * S + 999_000_000, change="start", rate_rps=8.0)]
    late += [record for record in ramp(19)[3:] if record.t_ns > (BEGIN_S + 1) * S]
    log = BottleneckHistory(folded(late))
    assert (log.at((BEGIN_S + 1) * S).limit, log.at(8 * S).limit) == (IDLE, ROOM)
    assert log.events(18 * S) == []


def test_room_after_a_pause_began_with_the_load_and_not_with_the_pause():
    # Held from 10 to 20 s: room again is no event, but it is not 'no load' that still lasts.
    records = [record for record in ramp(40) if not 10 * S < record.t_ns <= 20 * S]
    records += [tick(t_ns, 0.0, 0) for t_ns in range(10 * S + TICK_NS, 20 * S + 1, TICK_NS)]
    log = BottleneckHistory(folded(sorted(records, key=lambda record: record.t_ns)))
    assert (log.at(9 * S).limit, log.since_ns(9 * S)) == (ROOM, BEGIN_S * S)
    assert log.at(18 * S).limit == IDLE
    assert 10 * S < log.since_ns(18 * S) <= 14 * S
    assert log.at(22 * S).limit == ROOM
    assert log.since_ns(22 * S) == 21 * S
    assert BottleneckHistory(Timeline()).since_ns(5 * S) == 0


def test_without_load_nothing_binds():
    log = BottleneckHistory(folded(ramp()))
    assert log.at(0).limit == log.at(1 * S).limit == IDLE
    assert BottleneckHistory(Timeline()).at(5 * S).limit == IDLE


@pytest.mark.parametrize("late", [0, 1, 7, 40])
def test_live_and_replay_find_the_same_whenever_records_arrive(late):
    """Each record may come up to `late` places after its turn, in another second than its own."""
    records = sorted([*ramp(), *gpus(60)], key=lambda record: record.t_ns)
    expected = names(BottleneckHistory(folded(records)), 60)
    timeline = Timeline()
    log = BottleneckHistory(timeline)
    turn = sorted(range(len(records)), key=lambda i: (i + (i * 7919 % (late + 1)), i))
    for place in turn:
        record = records[place]
        timeline.apply(record)
        log.noted(record.t_ns)
        if place % 5 == 0:
            log.at(max(record.t_ns - S, 0))
    assert names(log, 60) == expected
    assert log.spans(BEGIN_S * S, 60 * S) == BottleneckHistory(folded(records)).spans(BEGIN_S * S, 60 * S)


@pytest.mark.parametrize("at_s", [5, 19, 23, 25, 30, 43, 60])
def test_what_is_said_of_an_instant_needs_no_record_after_it(at_s):
    records = [*ramp(), *gpus(60)]
    known = [record for record in records if record.t_ns <= at_s * S]
    assert BottleneckHistory(folded(known)).at(at_s * S) == BottleneckHistory(folded(records)).at(at_s * S)


def gpus(seconds: int) -> list[Any]:
    """Two GPUs, of which from 31 s on one is known to serve; the other is hot from 10 s on."""
    device = GpuDevice("a", 0, sm_clock_max_mhz=1980.0, power_limit_w=700.0)
    other = GpuDevice("b", 1, sm_clock_max_mhz=1980.0, power_limit_w=700.0)
    known = GpuDevices(
        t_ns=31 * S - 7, source="nvml", devices=[with_serving(device, True), with_serving(other, False)]
    )
    records: list[Any] = [GpuDevices(t_ns=1, source="nvml", devices=[device, other]), known]
    for i in range(4 * seconds):
        hot = {"thermal": 40.0 if i >= 40 else 0.0}
        records.append(
            GpuSamples(
                t_ns=i * TICK_NS + 5, took_ns=1, source="nvml",
                gpus=[
                    GpuSample("a", power_w=300.0, sm_clock_mhz=1980.0, temperature_c=50.0, throttled_pct={"thermal": 0.0}),
                    GpuSample("b", power_w=200.0, sm_clock_mhz=1200.0, temperature_c=90.0, throttled_pct=hot),
                ],
            )
        )  # fmt: skip
    return records


def with_serving(device: GpuDevice, serves: bool) -> GpuDevice:
    return GpuDevice(
        device.gpu, device.index, sm_clock_max_mhz=1980.0, power_limit_w=700.0, serves_target=serves
    )


def test_a_hot_gpu_counts_until_it_is_known_not_to_serve():
    log = BottleneckHistory(folded([*ramp(), *gpus(60)]))
    assert log.at(9 * S).limit == ROOM
    assert log.at(15 * S).limit == "heat"
    assert log.at(15 * S).why == "GPU1 90 °C, slowed 40 % of the time, SM clock 1200 of 1980 MHz"
    assert log.at(38 * S).limit == "KV cache"
    assert log.at(58 * S).limit == ROOM


def test_a_starved_client_is_named_before_the_server_whose_queue_it_sees():
    """Nice 19 beside a busy loop: the loop comes late, reads hold many tokens, requests leave late."""
    records = ramp()
    for record in records:
        if isinstance(record, Tick) and 30 * S < record.t_ns <= 36 * S:
            record.coalesced_reads = round(0.8 * record.reads)
            record.loop_lag_max_ns = 120_000_000
            record.send_lag = [bucket(90_000_000), 10]
    spans = BottleneckHistory(folded(records)).spans(BEGIN_S * S, 60 * S)
    assert [span.limit for span in spans] == [ROOM, "KV cache", "client", "KV cache", ROOM]
    assert re.fullmatch(r"requests left (89|90|91) ms late \(p99\)", str(spans[2].why))
    client_s = float(spans[2].to_s) - float(spans[2].from_s)
    assert 5.0 <= client_s <= 10.0


def test_without_any_telemetry_a_steady_run_is_unknown_and_a_growing_one_is_the_server():
    steady = [record for record in ramp(19) if not isinstance(record, ServerSample)]
    assert BottleneckHistory(folded(steady)).at(18 * S).limit == UNKNOWN
    growing: list[Any] = [LoadChange(t_ns=0, change="start", rate_rps=8.0)]
    growing += [tick(i * TICK_NS, 8.0, in_flight=10 + 2 * max(i - 60, 0)) for i in range(1, 160)]
    found = BottleneckHistory(folded(growing))
    assert found.at(14 * S).limit == UNKNOWN
    assert found.at(39 * S).limit == "server"
    assert found.at(39 * S).why.endswith("in flight, +80 in 10 s")


def test_growth_is_not_judged_until_the_load_has_settled():
    records: list[Any] = [LoadChange(t_ns=0, change="start", rate_rps=8.0)]
    records += [LoadChange(t_ns=20 * S, change="rate", rate_rps=16.0)]
    records += [tick(i * TICK_NS, 8.0, in_flight=i) for i in range(1, 161)]
    seconds = evidence(folded(records), 0, 40)
    # A request takes 1 s: 10 s and two requests' time after each change.
    assert [i + 1 for i, second in enumerate(seconds) if second.growth is not None] == [
        *range(12, 20),
        *range(32, 41),
    ]


def test_evidence_by_hand():
    second = evidence(folded(ramp()), 30, 31)[0]
    assert (second.due_rps, second.sent_rps, second.in_flight, second.backlog) == (40.0, 40.0, 60.0, 0.0)
    assert (second.running, second.waiting, second.waiting_least, second.kv_pct) == (44.0, 16.0, 16.0, 98.0)
    assert second.preemptions_per_s == 2.0
    assert second.tokens_10s == 10 * 4 * 640
    assert second.util_pct is second.power_w is second.sm_pct is None
    assert second.active
    assert evidence(folded(ramp()), 7, 7) == []


def test_answers_without_tokens_are_no_silence():
    def found(**more: int) -> str:
        records: list[Any] = [LoadChange(t_ns=0, change="start", rate_rps=8.0)]
        plain = {"output_tokens": 0, "chunks": 0, "succeeded": 0}
        records += [tick(i * TICK_NS, 8.0, in_flight=8, **(plain | more)) for i in range(1, 81)]
        return BottleneckHistory(folded(records)).at(19 * S).limit

    assert found() == "server"
    assert found(succeeded=2) == UNKNOWN


def test_a_server_that_refuses_connections_is_known_to_until_it_takes_them_again():
    records: list[Any] = [LoadChange(t_ns=0, change="start", rate_rps=8.0)]
    records += [tick(i * TICK_NS, 8.0, in_flight=8) for i in range(1, 81)]
    records += [WorkerNote(10 * S + S // 2, 0, "backing_off"), WorkerNote(14 * S + 1, 0, "reachable_again")]
    seconds = evidence(folded(records), 9, 16)
    assert [second.unreachable_s for second in seconds] == [None, 0.5, 1.5, 2.5, 3.5, None, None]
    assert not any(second.closed for second in seconds)


def test_a_closed_loop_is_known_as_one():
    records: list[Any] = [LoadChange(t_ns=0, change="start", concurrency=4)]
    records += [tick(i * TICK_NS, 8.0, in_flight=4) for i in range(1, 21)]
    assert [second.closed for second in evidence(folded(records), 2, 4)] == [True, True]


def test_several_workers_are_one_load():
    records: list[Any] = [LoadChange(t_ns=0, change="start", rate_rps=16.0)]
    records += [tick(i * TICK_NS, 8.0, in_flight=5 + w, worker=w) for i in range(1, 81) for w in (0, 1)]
    second = evidence(folded(records), 18, 19)[0]
    assert (second.due_rps, second.in_flight) == (16.0, 11.0)


def test_a_server_that_stops_speaking_is_not_known_any_more():
    records = [r for r in ramp() if not (isinstance(r, ServerSample) and r.t_ns > 30 * S)]
    seconds = evidence(folded(records), 28, 36)
    assert [second.kv_pct for second in seconds] == [98.0] * 4 + [None] * 4


def test_an_hour_is_judged_in_blocks_as_in_one(monkeypatch):
    timeline = folded(ramp(60))
    whole = BottleneckHistory(timeline).spans(BEGIN_S * S, 60 * S)
    monkeypatch.setattr("sessions.bottleneck.history._BLOCK", 7)
    assert BottleneckHistory(timeline).spans(BEGIN_S * S, 60 * S) == whole


def held_up() -> list[Any]:
    """8 rps; between 20 and 32 s the process hardly runs: ticks of 2 and 4 s, and a crowd after them."""
    records: list[Any] = [LoadChange(t_ns=BEGIN_S * S, change="start", rate_rps=8.0)]
    before = BEGIN_S * 4
    for end in (*range(BEGIN_S * 4 + 1, 81), 88, 96, 112, 128, *range(129, 200)):
        crowd = 9 if end <= 80 else 9 + 4 * (end - 80) if end <= 128 else max(9, 200 - 20 * (end - 128))
        late = tick(end * TICK_NS, 8.0, crowd)
        late.dt_ns = (end - before) * TICK_NS
        records.append(late)
        before = end
    for i in range(BEGIN_S * 4, 200):
        records.append(ServerSample(i * TICK_NS, 1, "m", running=9.0, waiting=0.0, kv_pct=20.0))
    return records


def test_a_client_that_is_not_let_onto_a_core_is_the_limit_and_not_a_server_or_no_load():
    log = BottleneckHistory(folded(held_up()))
    spans = log.spans(BEGIN_S * S, 50 * S)
    assert [span.limit for span in spans] == [ROOM, "client", ROOM]
    # Not a tick since 20 s: known 1.25 s later, and the first limit of this load.
    assert 20.0 <= float(spans[1].from_s) + BEGIN_S <= 25.0
    assert 32.0 < float(spans[1].to_s) + BEGIN_S <= 39.0
    assert re.fullmatch(r"the client (has not run for|stood still for) \d\.\d s", str(spans[1].why))


@pytest.mark.parametrize("at_s", [21, 23, 25, 29, 31, 33, 36])
def test_a_stillness_is_known_by_what_had_come_until_then(at_s):
    known = [record for record in held_up() if record.t_ns <= at_s * S]
    assert BottleneckHistory(folded(known)).at(at_s * S) == BottleneckHistory(folded(held_up())).at(at_s * S)


def test_a_worker_whose_share_is_done_has_not_stood_still():
    done = [tick(i * TICK_NS, 8.0, 9 if i < 40 else 0, worker=1) for i in range(9, 41)]
    log = BottleneckHistory(folded([*ramp(19), *done]))
    assert {log.at(t * S).limit for t in range(5, 20)} == {ROOM}


def test_in_a_ramp_what_is_in_flight_grows_with_the_load_and_that_is_no_sign():
    records: list[Any] = [LoadChange(t_ns=0, change="start", rate_rps=1.0)]
    for i in range(1, 241):
        rps = 1.0 + min(i, 160) * 0.1
        records.append(tick(i * TICK_NS, rps, in_flight=round(3 * rps) if i < 161 else 51 + 2 * (i - 160)))
        records.append(ServerSample(t_ns=i * TICK_NS, took_ns=1, source="m", waiting=0.0, kv_pct=20.0))
    found = names(BottleneckHistory(folded(records)), 60)
    assert set(found[3:50]) == {ROOM}
    # Level from 40 s on: 10 s and two requests' time of 1 s later, growth is a sign again.
    assert found[56:] == ["server"] * 5


def test_a_client_that_stands_still_is_named_before_it_says_a_word():
    still = [record for record in held_up() if not isinstance(record, Tick) or record.t_ns <= 20 * S]
    log = BottleneckHistory(folded(still))
    assert (log.at(21 * S).limit, log.at(24 * S)) == (ROOM, ("client", "the client has not run for 4.0 s"))


def test_preemptions_are_those_of_five_seconds():
    records: list[Any] = [LoadChange(t_ns=0, change="start", rate_rps=8.0)]
    for i in range(1, 100):
        preempted = 0.0 if i < 42 else 3.0  # three at 10.5 s
        records.append(ServerSample(i * TICK_NS, 1, "m", preemptions=preempted))
    found = [second.preemptions_per_s for second in evidence(folded(records), 8, 18)]
    assert found == [0.0, 0.0, *[0.6] * 5, 0.0, 0.0, 0.0]


def alone(seconds: int = 12, device: GpuDevice | None = None, **values: Any) -> BottleneckHistory:
    """A quiet load on one GPU that says `values` at every poll."""
    records: list[Any] = [GpuDevices(t_ns=1, source="nvml", devices=[device or GpuDevice("a", 0)])]
    records += [LoadChange(t_ns=0, change="start", rate_rps=8.0)]
    for i in range(1, 4 * seconds):
        records.append(tick(i * TICK_NS, 8.0, 9))
        records.append(ServerSample(i * TICK_NS, 1, "m", waiting=0.0, kv_pct=20.0))
        records.append(GpuSamples(i * TICK_NS, 1, "nvml", [GpuSample("a", **values)]))
    return BottleneckHistory(folded(records))


def test_a_power_brake_is_a_cap_from_outside():
    slowed = {"power cap": 0.0, "power brake": 30.0, "thermal": 0.0, "HW thermal": 0.0}
    found = alone(power_w=400.0, power_limit_w=700.0, throttled_pct=slowed).at(10 * S)
    assert found == ("power", "400/700 W, capped 30 % of the time")


def test_a_limit_of_power_that_only_the_device_tells_counts():
    device = GpuDevice("a", 0, power_limit_w=700.0, sm_clock_max_mhz=1980.0)
    found = alone(device=device, power_w=690.0, sm_clock_mhz=1700.0).at(10 * S)
    assert found == ("power", "690/700 W, SM clock 1700 of 1980 MHz")
    assert alone(power_w=690.0, sm_clock_mhz=1700.0).at(10 * S).limit == ROOM


@pytest.mark.parametrize("waiting", [9.0, 0.0])
def test_a_limit_does_not_outlive_the_load_that_it_limited(waiting: float) -> None:
    """`KV cache 54 %, 0 waiting` with nothing in flight: the figures were means of seconds that had a load."""
    records: list[Any] = [LoadChange(0, "start", rate_rps=10.0)]
    for i in range(4 * 30):
        t_ns, busy = (i + 1) * TICK_NS, i < 80
        records += [
            Tick(t_ns=t_ns, dt_ns=TICK_NS, worker=0, due=3 * busy, sent=3 * busy, succeeded=3 * busy,
                 output_tokens=99 * busy, in_flight=30 * busy, rate_rps=10.0 * busy),
            ServerSample(t_ns, 1, "m", running=30.0 * busy, waiting=waiting * busy, kv_pct=97.0 if busy else 54.0,
                         preemptions=float(min(i, 80))),
        ]  # fmt: skip
    timeline = Timeline()
    for record in records:
        timeline.apply(record)
    history = BottleneckHistory(timeline)
    assert history.at(20 * S).limit == "KV cache"
    assert {history.at(s * S).limit for s in range(21, 30)} <= {ROOM, IDLE}
    assert history.at(23 * S).limit == IDLE


def test_a_stretch_has_the_figures_of_its_median_second_not_of_its_first():
    """A queue that grows by one a second: the first second of the stretch has 1 in it, and in the end it is 100."""
    records: list[Any] = [LoadChange(t_ns=0, change="start", rate_rps=8.0)]
    for i in range(1, 401):
        t_ns = i * TICK_NS
        waits = i // 4
        records.append(tick(t_ns, 8.0, 44 + waits))
        records.append(ServerSample(t_ns - 1, 1, "m", running=44.0, waiting=float(waits), kv_pct=98.0))
    (span,) = BottleneckHistory(folded(records)).spans(0, 100 * S)
    assert span.limit == "KV cache"
    found = re.fullmatch(r"98 % used, (\d+) waiting", span.why)
    assert found, span.why
    assert 48 <= int(found[1]) <= 51


def at_a_server_of_8(waiting: dict[int, float], rps: float = 20.0) -> BottleneckHistory:
    """A load from 2 s on; what the server reads as waiting, by when in ms, each holding until the next."""
    records: list[Any] = [LoadChange(t_ns=BEGIN_S * S, change="start", rate_rps=rps)]
    records += [tick(i * TICK_NS, rps, 9) for i in range(BEGIN_S * 4 + 1, 4 * 20)]
    for i in range(4 * 20):
        now = next((value for ms, value in reversed(waiting.items()) if ms <= 250 * i), 0.0)
        records.append(ServerSample(i * TICK_NS, 1, "m", running=8.0, waiting=now, kv_pct=None))
    return BottleneckHistory(folded(records))


def test_a_queue_longer_than_what_runs_is_said_after_the_first_second_in_which_it_stood():
    # Read from 2.25 s on; the reading of 2.0 s is of the second before.
    assert names(at_a_server_of_8({2250: 60.0}), 5) == [IDLE, IDLE, IDLE, "queue", "queue", "queue"]
    # A queue that grows: 5 is fewer than run, 12 is more, and is so in each reading of the fifth second.
    grows = at_a_server_of_8({3250: 5.0, 4250: 12.0, 5250: 26.0})
    assert names(grows, 7) == [IDLE, IDLE, IDLE, ROOM, ROOM, "queue", "queue", "queue"]


def test_a_queue_no_longer_than_what_runs_may_wait_for_the_next_step_and_must_stand_for_three_seconds():
    short = at_a_server_of_8({2250: 7.0})
    assert names(short, 6) == [IDLE, IDLE, IDLE, ROOM, ROOM, "queue", "queue"]
    # Longer, but gone at one reading of each second.
    comes_and_goes = {ms: 60.0 if ms % 1000 else 0.0 for ms in range(2250, 19000, 250)}
    assert set(names(at_a_server_of_8(comes_and_goes), 18)[3:]) == {ROOM}


def test_a_queue_whose_first_reading_is_not_three_seconds_old_is_not_known_to_have_stood_so_long():
    records: list[Any] = [LoadChange(t_ns=BEGIN_S * S, change="start", rate_rps=20.0)]
    for i in range(BEGIN_S * 4 + 1, 4 * 10):
        records.append(tick(i * TICK_NS, 20.0, 9))
        records.append(ServerSample(i * TICK_NS, 1, "m", running=17.0, waiting=3.0, kv_pct=20.0))
    # The first second is of 2.25 s and after: of it, and of the two after it, there are readings.
    assert names(BottleneckHistory(folded(records)), 6) == [IDLE, IDLE, IDLE, ROOM, ROOM, "queue", "queue"]


def seldom(rps: float | None, **more: Any) -> BottleneckHistory:
    """A request of half a second every ten of a load that is on from 2 to 40 s."""
    records: list[Any] = [LoadChange(t_ns=BEGIN_S * S, change="start", rate_rps=rps)]
    for i in range(BEGIN_S * 4 + 1, 4 * 60 + 1):
        asks, is_on = i % 40 == 12 and i <= 160, i <= 160
        offered = {name: of and of * is_on for name, of in {"rate_rps": rps, **more}.items()}
        asked = dict.fromkeys(("due", "sent", "in_flight"), int(asks))
        records.append(Tick(t_ns=i * TICK_NS, dt_ns=TICK_NS, worker=0, **asked, **offered))
        records.append(ServerSample(i * TICK_NS - 1, 1, "m", running=float(asks), waiting=0.0, kv_pct=1.0))
    return BottleneckHistory(folded(records))


@pytest.mark.parametrize("load", [{"rps": 0.1}, {"rps": None, "concurrency": 1}])
def test_a_load_whose_requests_come_seldom_is_no_want_of_load(load: dict[str, Any]) -> None:
    history = seldom(**load)
    assert {history.at(s * S).limit for s in range(3, 41)} == {ROOM}
    # Nothing was asked for 3 s when the load ends: said at once.
    assert [history.at(s * S).limit for s in (41, 42, 50)] == [IDLE] * 3
    assert [event.t_ns for event in history.events(60 * S)] == [41 * S]
