"""The scraping source against a real HTTP server on loopback."""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

import pytest

from telemetry.prometheus import scrape as scraping
from telemetry.prometheus.scrape import ScrapeTarget
from telemetry.prometheus.source import PrometheusSource, is_simulated
from telemetry.records import GpuDevices, GpuSamples, ServerSample, SourceNote


@pytest.fixture
def source_of():
    made = []

    def make(server, **options):
        made.append(PrometheusSource(ScrapeTarget(server.url, **options)))
        return made[-1]

    yield make
    for source in made:
        source.close()


def now_ns():
    return time.monotonic_ns()


def of(records, kind):
    return [record for record in records if isinstance(record, kind)]


def notes(records):
    return [(note.ok, note.message) for note in of(records, SourceNote)]


def test_what_was_found_is_said_once_and_the_first_sample_comes_with_it(served, source_of):
    served.shows("llamacpp.txt")
    source = source_of(served)
    before = now_ns()
    records = source.open(now_ns)
    assert notes(records) == [(True, f"{served.name}: found, with metrics of llama.cpp")]
    (sample,) = of(records, ServerSample)
    assert before <= sample.t_ns <= sample.t_ns + sample.took_ns <= now_ns()
    assert sample.source == served.name
    again = source.sample(now_ns)
    assert [type(record) for record in again] == [ServerSample]
    assert source.interval_ns == 1_000_000_000


def test_devices_are_said_again_only_when_they_change(served, source_of):
    served.shows("dcgm.txt")
    source = source_of(served)
    assert len(of(source.open(now_ns), GpuDevices)) == 1
    assert [type(record) for record in source.sample(now_ns)] == [GpuSamples]
    served.body = served.body.replace(b"GPU-b0", b"GPU-b9")
    (devices,) = of(source.sample(now_ns), GpuDevices)
    assert devices.devices[-1].gpu == "GPU-b9"


def test_a_simulated_server_is_asked_four_times_a_second_and_labelled(served, source_of):
    served.says(
        'ttftop_simulated 1\nvllm:num_requests_running 1\nDCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-s"} 5\n'
    )
    source = source_of(served)
    records = source.open(now_ns)
    assert notes(records) == [(True, f"{served.name}: found, with metrics of vLLM and DCGM (simulated)")]
    assert source.interval_ns == 250_000_000
    assert is_simulated(ScrapeTarget(served.url), now_ns)
    served.says("vllm:num_requests_running 1\n")
    assert not is_simulated(ScrapeTarget(served.url), now_ns)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, "it publishes no metrics there (llama.cpp needs --metrics, SGLang --enable-metrics)"),
        (501, "its metrics are switched off (llama.cpp needs --metrics)"),
        (
            401,
            "it wants an API key for its metrics; set TTFTOP_API_KEY, which the target's own address is sent",
        ),
        (403, "it refuses to show its metrics; need a key that it allows them"),
        (307, "it points elsewhere; give the right address to --telemetry"),
    ],
)
def test_a_server_without_metrics_is_one_sentence_and_is_asked_rarely(served, source_of, status, words):
    served.status = status
    served.headers = {"location": served.url}
    source = source_of(served)
    records = [*source.open(now_ns), *source.sample(now_ns), *source.sample(now_ns)]
    assert notes(records) == [(False, f"{served.name}: HTTP {status}: {words}")]
    assert len(records) == 1
    assert source.interval_ns == 30_000_000_000


def test_metrics_that_appear_later_are_found_and_asked_at_the_normal_rate(served, source_of):
    served.says("tgi_unknown 1\n")
    source = source_of(served)
    ((ok, message),) = notes(source.open(now_ns))
    assert (ok, message) == (
        False,
        f"{served.name}: no metrics that ttftop knows; give --telemetry one of vLLM, SGLang, TGI, llama.cpp, DCGM",
    )
    assert source.interval_ns == 1_000_000_000
    served.shows("tgi.txt")
    records = source.sample(now_ns)
    assert notes(records) == [(True, f"{served.name}: found, with metrics of TGI")]
    assert len(of(records, ServerSample)) == 1


def test_a_lost_exporter_is_said_once_and_again_when_it_is_back_with_a_gap_between(served, source_of):
    served.shows("vllm.txt")
    source = source_of(served)
    source.open(now_ns)
    served.stop()
    gone = [record for _ in range(6) for record in source.sample(now_ns)]
    assert notes(gone) == [(False, f"{served.name}: cannot connect (Connection refused); is the server up?")]
    assert len(gone) == 1
    served.back()
    back = source.sample(now_ns)
    assert notes(back) == [(True, f"{served.name}: answers again, with metrics of vLLM")]
    assert len(of(back, ServerSample)) == 1


def test_one_missed_second_is_a_gap_but_no_news(served, source_of):
    served.shows("vllm.txt")
    source = source_of(served)
    source.open(now_ns)
    served.status = 500
    assert source.sample(now_ns) == []
    served.status = 200
    assert [type(record) for record in source.sample(now_ns)] == [ServerSample]


def test_a_server_that_is_not_there_yet_is_said_at_once_and_found_later(served, source_of):
    served.shows("vllm.txt")
    served.stop()
    source = source_of(served)
    assert notes(source.open(now_ns)) == [
        (False, f"{served.name}: cannot connect (Connection refused); is the server up?")
    ]
    assert source.interval_ns == 1_000_000_000
    served.back()
    assert len(of(source.sample(now_ns), ServerSample)) == 1


def test_a_server_that_does_not_answer_is_given_up_after_its_time_out(served, source_of, monkeypatch):
    monkeypatch.setattr(scraping, "TIMEOUT_S", 0.1)
    served.release.clear()
    assert notes(source_of(served).open(now_ns)) == [
        (False, f"{served.name}: no answer within 0.1 s (given 10 s from now on); is the server stuck?")
    ]


def test_a_server_that_drips_is_given_up_too(served, source_of, monkeypatch):
    monkeypatch.setattr(scraping, "TIMEOUT_S", 0.1)
    served.shows("vllm.txt")
    served.drip_s = 0.02
    assert notes(source_of(served).open(now_ns)) == [
        (
            False,
            f"{served.name}: its page takes more than 0.2 s (given 10 s from now on); is the server stuck?",
        )
    ]


def test_the_key_is_sent_as_a_bearer_and_shown_nowhere(served, source_of):
    served.status = 401
    source = source_of(served, api_key="sk-secret")
    records = source.open(now_ns)
    assert served.seen[0] == ("/metrics", {**served.seen[0][1], "authorization": "Bearer sk-secret"})
    assert "sk-secret" not in repr(records) + source.name


def test_a_key_that_no_header_may_hold_is_one_sentence_without_it(served, source_of):
    source = source_of(served, api_key="sk-secret\nx: y")
    records = source.open(now_ns)
    assert notes(records) == [
        (
            False,
            f"{served.name}: the API key has characters that no HTTP header may hold; need printable ASCII",
        )
    ]
    assert source.interval_ns is None
    assert source.sample(now_ns) == []
    assert served.seen == []


def test_a_ca_file_that_is_not_there_is_one_sentence(source_of):
    source = PrometheusSource(ScrapeTarget("https://127.0.0.1:9/metrics", ca_file="/nowhere.pem"))
    assert notes(source.open(now_ns)) == [
        (False, "127.0.0.1:9/metrics: the CA file /nowhere.pem cannot be read; need certificates in PEM")
    ]
    assert source.interval_ns is None


@pytest.mark.parametrize("host", ["127.0.0.1", "gpu-node.example"])
def test_no_proxy_of_the_environment_sees_us_or_the_key(
    served, source_of, start_metrics_server, monkeypatch, host
):
    served.shows("vllm.txt")
    proxy = start_metrics_server()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *more, **kw: resolve("127.0.0.1", *more, **kw))
    port = urlsplit(served.url).port
    source = PrometheusSource(ScrapeTarget(f"http://{host}:{port}/metrics", api_key="sk-secret"))
    try:
        assert len(of(source.open(now_ns), ServerSample)) == 1
    finally:
        source.close()
    assert proxy.seen == []


def test_a_redirect_is_not_followed(served, source_of, start_metrics_server):
    other = start_metrics_server()
    served.status, served.headers = 302, {"location": other.url}
    source_of(served, api_key="sk-secret").open(now_ns)
    assert len(served.seen) == 1
    assert other.seen == []
