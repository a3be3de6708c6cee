"""Pages as real servers, gateways and exporters write them: what can be read is read, the rest is said."""

from __future__ import annotations

import gzip
import json
import time
import zlib

import pytest

from telemetry.prometheus import scrape as scraping
from telemetry.prometheus.scrape import PLAIN_TEXT, RIGHT_ADDRESS, SMALLER_PAGE, ScrapeTarget
from telemetry.prometheus.source import PrometheusSource
from telemetry.records import GpuDevices, GpuSamples, ServerSample, SourceNote

RUNNING = "vllm:num_requests_running 7\nvllm:num_requests_waiting 2\n"
KEY = "sk-secret-0123456789"


class Opened:
    """A source that was opened once against what a server says."""

    def __init__(self, server, **target) -> None:
        self.source = PrometheusSource(ScrapeTarget(target.pop("url", server.url), **target))
        self.records = self.source.open(time.monotonic_ns)

    def again(self):
        self.records = self.source.sample(time.monotonic_ns)
        return self

    def of(self, kind):
        return [record for record in self.records if isinstance(record, kind)]

    @property
    def said(self):
        return [(note.ok, note.message) for note in self.of(SourceNote)]

    @property
    def server(self):
        (sample,) = self.of(ServerSample)
        return sample


@pytest.fixture
def opened(served):
    made = []

    def make(**target) -> Opened:
        made.append(Opened(served, **target))
        return made[-1]

    yield make
    for one in made:
        one.source.close()


def found(served, kind="vLLM", more=""):
    return [(True, f"{served.name}: found, with metrics of {kind}{more}")]


def gpu_line(index, value, pod="p"):
    return f'DCGM_FI_DEV_GPU_UTIL{{gpu="{index}",UUID="GPU-{index}",Hostname="n1",pod="{pod}"}} {value}\n'


# one bad line


def test_one_bad_line_costs_that_line_only_and_is_said_once(served, opened):
    served.says("# TYPE x gauge\n" + gpu_line(0, 5) + gpu_line(1, 35, 'say "hi"') + gpu_line(2, 25))
    got = opened()
    assert got.said == found(served, "DCGM", "; line 3 is no Prometheus text and left out")
    assert [(gpu.gpu, gpu.util_pct) for gpu in got.of(GpuSamples)[0].gpus] == [("GPU-0", 5), ("GPU-2", 25)]
    assert got.again().said == []


def test_many_bad_lines_are_counted_and_said_when_they_begin_and_end(served, opened):
    served.says(gpu_line(0, 5))
    got = opened()
    served.says(gpu_line(0, 5) + gpu_line(1, "x") + gpu_line(2, "0x5") + gpu_line(3, ""))
    assert got.again().said == [
        (True, f"{served.name}: 3 lines (the first is line 2) are no Prometheus text and left out")
    ]
    served.says(gpu_line(0, 5))
    assert got.again().said == [(True, f"{served.name}: every line is Prometheus text again")]


@pytest.mark.parametrize("bad", ["four", "NaN", "-3", "", "+Inf"])
def test_a_sum_of_which_a_part_cannot_be_read_is_a_gap_not_the_rest(served, opened, bad):
    served.says(
        f'vllm:num_requests_running{{engine="0"}} 3\nvllm:num_requests_running{{engine="1"}} {bad}\n'
        "vllm:num_requests_waiting 2\n"
    )
    got = opened().server
    assert (got.running, got.waiting) == (None, 2)


def test_a_bad_line_of_a_histogram_costs_the_histogram(served, opened):
    name = "vllm:time_to_first_token_seconds_bucket"
    served.says(f'{RUNNING}{name}{{le="0.1"}} x\n{name}{{le="0.5"}} 2\n{name}{{le="+Inf"}} 3\n')
    got = opened().server
    assert (got.ttft, got.running) == (None, 7)


def test_a_page_of_bad_lines_only_is_said(served, opened):
    served.says("vllm:num_requests_running four\n")
    assert opened().said == [
        (False, f"{served.name}: line 1 is no Prometheus text, and nothing else is of use; {RIGHT_ADDRESS}")
    ]


def test_a_page_whose_values_cannot_be_is_said(served, opened):
    served.says("vllm:num_requests_running NaN\nvllm:num_requests_waiting -5\n")
    assert opened().said == [
        (False, f"{served.name}: its metrics have no value that can be; see the server's log")
    ]


def test_a_gpu_that_goes_from_a_page_in_mid_run_is_said_after_three_and_when_it_is_back(served, opened):
    served.says(RUNNING + gpu_line(0, 5) + gpu_line(1, 6))
    got = opened()
    served.says(gpu_line(0, 5))
    said = [note for _ in range(6) for note in got.again().said]
    assert said == [
        (
            False,
            f"{served.name}: GPU 1 of n1 and the metrics of vLLM: no longer on the page, what is shown is from before",
        )
    ]
    served.says(RUNNING + gpu_line(0, 5) + gpu_line(1, 6))
    assert got.again().said == [
        (True, f"{served.name}: GPU 1 of n1 and the metrics of vLLM: on the page again")
    ]


def test_a_quantity_that_goes_from_a_page_in_mid_run_is_said(served, opened):
    power = 'DCGM_FI_DEV_POWER_USAGE{gpu="0",UUID="GPU-0",Hostname="n1"} '
    served.says(RUNNING + gpu_line(0, 5) + power + "300\n")
    got = opened()
    # A blank of DCGM's, and a value that cannot be.
    served.says(RUNNING.replace("7", "NaN") + gpu_line(0, 5) + power + "1e19\n")
    said = [note for _ in range(6) for note in got.again().said]
    assert said == [
        (
            False,
            f"{served.name}: power of GPU 0 of n1 and running requests of the metrics of vLLM: no longer on the "
            "page, what is shown is from before",
        )
    ]


def test_many_that_go_at_once_are_counted(served, opened):
    served.says("".join(gpu_line(i, 5) for i in range(20)))
    got = opened()
    served.says(gpu_line(0, 5))
    ((_, text),) = [note for _ in range(4) for note in got.again().said]
    assert text.count("GPU ") == 8
    assert " and 11 more: no longer on the page" in text


def test_one_who_asks_once_is_patient_from_the_start(served, opened, monkeypatch):
    monkeypatch.setattr(scraping, "TIMEOUT_S", 0.1)
    served.says(RUNNING)
    served.delay_s = 0.3
    assert opened(patient=True).server.running == 7


def test_a_gpu_that_one_page_lacks_is_no_news(served, opened):
    served.says(gpu_line(0, 5) + gpu_line(1, 6))
    got = opened()
    said = []
    for _ in range(4):
        served.says(gpu_line(0, 5))
        said += got.again().said
        served.says(gpu_line(0, 5) + gpu_line(1, 6))
        said += got.again().said
    assert said == []


# forms of one page


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + RUNNING,
        RUNNING.replace("\n", "\r\n"),
        RUNNING.rstrip("\n"),
        "  " + RUNNING,
        RUNNING + "# EOF\n",
        'vllm:num_requests_running{model_name="a\u2028b\x85c\x0bd"} 7\nvllm:num_requests_waiting 2\n',
        'vllm:num_requests_running 7 # {trace_id="6c"} 0.067 1700000000.123\nvllm:num_requests_waiting 2 1700000000\n',
        "vllm_num_requests_running 7\nvllm_num_requests_waiting 2\n",
        json.dumps(RUNNING),
        "\n " + json.dumps(RUNNING),
    ],
    ids=[
        "bom",
        "crlf",
        "no end",
        "blanks",
        "eof",
        "separators",
        "exemplars",
        "underscores",
        "json",
        "json, blanks",
    ],
)
def test_a_page_reads_the_same_in_every_form(served, opened, text):
    served.body = text.encode()
    got = opened()
    assert got.said == found(served)
    assert (got.server.running, got.server.waiting) == (7, 2)


def test_names_with_underscores_do_not_count_twice_beside_the_servers_own(served, opened):
    served.says(RUNNING + "vllm_num_requests_running 7\n")
    assert opened().server.running == 7


def test_sglangs_gateway_sums_its_workers_under_its_own_names(served, opened):
    rows = (("running_reqs", 5, 7), ("queue_reqs", 0, 3))
    worker = 'engine_type="unified",tp_rank="0",pp_rank="0",worker_addr="http://10.0.0.{}:30000"'
    lines = [
        f"sglang_num_{name}{{{worker.format(number)}}} {value}\n"
        for name, *values in rows
        for number, value in enumerate(values)
    ]
    lines += [f"sglang_token_usage{{{worker.format(n)}}} {v}\n" for n, v in ((1, 0.31), (2, 0.62))]
    served.says("".join(lines))
    got = opened()
    assert got.said == found(served, "SGLang")
    assert (got.server.running, got.server.waiting, got.server.kv_pct) == (12, 3, 62)


# compressed although none was asked for


def raw_deflate(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("header", "pack"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("identity", lambda data: data),
        ("gzip", lambda data: gzip.compress(data[:10]) + gzip.compress(data[10:])),
        (None, gzip.compress),
    ],
)
def test_a_page_that_is_compressed_unasked_is_read(served, opened, header, pack):
    served.body = pack(RUNNING.encode())
    served.headers = {} if header is None else {"content-encoding": header}
    assert opened().server.running == 7


@pytest.mark.parametrize(
    ("header", "body", "words"),
    [
        ("br", b"\x0b\x02\x80", f"its answer is compressed (br) unasked; {PLAIN_TEXT}"),
        ("gzip", b"no gzip", f"its answer is compressed (gzip) and broken; {PLAIN_TEXT}"),
        (
            "gzip",
            gzip.compress(RUNNING.encode() * 99, mtime=0)[:-20],
            f"its answer is compressed (gzip) and broken; {PLAIN_TEXT}",
        ),
    ],
    ids=["brotli", "no gzip", "cut"],
)
def test_a_compressed_page_that_cannot_be_read_is_said(served, opened, header, body, words):
    served.body, served.headers = body, {"content-encoding": header}
    assert opened().said == [(False, f"{served.name}: {words}")]


# size


def test_of_a_huge_page_only_wanted_lines_are_kept(served, opened):
    config = b'vllm:cache_config_info{config="' + b"layer: nvfp4; " * 900_000 + b'"} 1.0\n'
    served.body = config + RUNNING.encode()
    assert opened().server.running == 7


@pytest.mark.parametrize("pack", [False, True])
def test_a_page_without_end_is_cut_and_asked_seldom(served, opened, monkeypatch, pack):
    monkeypatch.setattr(scraping, "MOST_READ_BYTES", 1 << 20)
    served.body = b"# padding\n" * 200_000
    if pack:
        served.body, served.headers = gzip.compress(served.body), {"content-encoding": "gzip"}
    got = opened()
    assert got.said == [(False, f"{served.name}: more than 1 MiB of metrics; {SMALLER_PAGE}")]
    assert got.source.interval_ns == 30_000_000_000


def test_more_known_lines_than_any_server_has_are_refused_not_cut(served, opened):
    served.body = b"".join(b'vllm:num_requests_running{m="%d"} 1\n' % i for i in range(10_001))
    assert opened().said == [
        (False, f"{served.name}: more than 10,000 lines that ttftop knows; {SMALLER_PAGE}")
    ]


# time


def test_a_page_that_takes_longer_than_the_tick_gives_fewer_samples_never_none(served, opened, monkeypatch):
    monkeypatch.setattr(scraping, "TIMEOUT_S", 0.1)
    monkeypatch.setattr("telemetry.prometheus.source.TIMEOUT_S", 0.1)
    served.says(RUNNING)
    served.delay_s = 0.3
    got = opened()
    assert got.said == [
        (False, f"{served.name}: no answer within 0.1 s (given 10 s from now on); is the server stuck?")
    ]
    assert got.again().server.running == 7
    ((ok, text),) = got.said
    assert ok
    assert text.startswith(f"{served.name}: found, with metrics of vLLM")
    assert got.again().server.running == 7
    assert got.said == []


def test_a_server_that_becomes_slow_in_mid_run_is_given_time_and_it_is_said(served, opened, monkeypatch):
    served.says(RUNNING)
    got = opened()
    monkeypatch.setattr(scraping, "TIMEOUT_S", 0.1)
    monkeypatch.setattr("telemetry.prometheus.source.TIMEOUT_S", 0.1)
    monkeypatch.setattr("telemetry.prometheus.notices.SLOW_NS", 100_000_000)
    served.delay_s = 0.3
    assert got.again().records == []
    assert got.again().server.running == 7
    ((ok, text),) = got.said
    assert ok
    assert text.startswith(f"{served.name}: its page takes 0.")
    assert text.endswith(" s: fewer samples")
    assert got.again().said == []


# redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["/metrics/", "{origin}/metrics/"])
def test_a_redirect_that_only_adds_a_slash_is_followed_once(served, opened, status, location):
    served.says(RUNNING)
    served.redirects = {"/metrics": (status, location.format(origin=served.url.removesuffix("/metrics")))}
    got = opened(api_key=KEY)
    assert got.server.running == 7
    assert got.again().server.running == 7
    assert [path for path, _ in served.seen] == ["/metrics", "/metrics/", "/metrics/"]


def test_any_other_redirect_is_named_without_what_may_be_secret_and_not_followed(
    served, opened, start_metrics_server
):
    other = start_metrics_server()
    where = f"http://me:{KEY}@127.0.0.1:{other.port}/m?token={KEY}#x"
    served.redirects = {"/metrics": (302, where)}
    got = opened(api_key=KEY)
    assert got.said == [
        (
            False,
            f"{served.name}: HTTP 302: it points elsewhere; give http://127.0.0.1:{other.port}/m to --telemetry",
        )
    ]
    assert other.seen == []


@pytest.mark.parametrize("location", ["", "http://[::1/", "ftp://x/metrics/", "/metrics", "http://x\x1b[2J/"])
def test_a_redirect_to_nowhere_is_one_sentence(served, opened, location):
    served.redirects = {"/metrics": (302, location)}
    ((ok, text),) = opened().said
    assert not ok
    assert text.startswith(f"{served.name}: ")
    assert "it points elsewhere; give the right address to --telemetry" in text
    assert text.isprintable()


# a router of several models


def routed(served, model="qwen3"):
    served.says("llamacpp:requests_processing 3\nllamacpp:requests_deferred 2\n")
    error = {"error": {"code": 400, "message": "model name is missing from the request"}}
    served.without_query = (400, json.dumps(error))


def test_a_router_is_asked_again_for_the_model_of_the_run(served, opened):
    routed(served)
    got = opened(model="qwen 3/x")
    assert (got.server.running, got.server.waiting) == (3, 2)
    assert got.again().server.running == 3
    assert [path for path, _ in served.seen] == ["/metrics", *["/metrics?model=qwen%203%2Fx"] * 2]


def test_a_router_whose_model_is_not_known_says_what_it_wants(served, opened):
    routed(served)
    assert opened().said == [
        (
            False,
            f"{served.name}: HTTP 400: model name is missing from the request; "
            f"give {served.url}?model=NAME to --telemetry",
        )
    ]


def test_an_address_may_hold_the_model(served, opened):
    routed(served)
    got = opened(url=f"{served.url}?model=qwen3")
    assert got.said == [(True, f"{served.name}?model=qwen3: found, with metrics of llama.cpp")]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"error": "too\\u001b[2J much"}', "too?[2J much"),
        ('{"detail": "later"}', "later"),
        ('{"message": "in vain"}', "in vain"),
        ("plain words", "plain words"),
        ("<html><body>no</body></html>", ""),
        ("", ""),
        (f'{{"error": "no {KEY}"}}', "no ***"),
    ],
)
def test_a_refusal_is_repeated_in_the_servers_words(served, opened, body, words):
    served.status = 500
    served.body = body.encode()
    got = opened(redact=lambda text: text.replace(KEY, "***"))
    assert got.said == [
        (False, f"{served.name}: HTTP 500{f': {words}' if words else ''}; see the server's log")
    ]


# our key


def test_our_key_in_a_page_stands_in_no_record(served, opened):
    """Also where a text is cut, and in the forms that JSON may write it in, which `redact` knows."""
    long = "x" * 110
    served.says(
        f'DCGM_FI_DEV_GPU_UTIL{{gpu="0",UUID="{KEY}",modelName="{long}{KEY}",Hostname="{KEY}"}} 5\n'
        f'DCGM_FI_DEV_XID_ERRORS{{gpu="0",UUID="{KEY}",Hostname="{KEY}"}} 0\n'
    )
    got = opened(api_key=KEY, redact=lambda text: text.replace(KEY, "***"))
    assert got.of(GpuDevices)[0].devices[0].gpu == "***"
    served.body = served.body.replace(b"} 0", b"} 79")
    assert KEY[:10] not in repr(got.records) + repr(got.again().records)
    assert len(got.records) > 1
