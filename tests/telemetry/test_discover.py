from __future__ import annotations

import subprocess
import sys
import time

import pytest

from telemetry.discover import on_this_machine, resolve
from telemetry.nvml.source import NvmlSource
from telemetry.records import GpuDevices, GpuSamples, ServerSample, SourceNote
from telemetry.source import TelemetryError
from telemetry.ssh.command import command
from tests.error_texts import assert_whole

SIMULATED = 'ttftop_simulated 1\nDCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-s"} 5\n'


def opened(sources):
    """All records of opening `sources`, each of which is closed again."""
    records = []
    for source in sources:
        records += source.open(time.monotonic_ns)
        source.close()
    return records


def kinds(records):
    return {type(record) for record in records if not isinstance(record, SourceNote)}


def said(records):
    return [record.message for record in records if isinstance(record, SourceNote)]


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        (["auto"], ["nvml", "h:8000/metrics", "host"]),
        (["host"], ["host"]),
        (["nvml", "ssh://me@node2:2222", "ssh://node3"], ["nvml", "ssh node2", "ssh node3"]),
        (["ssh://node3", "ssh://node3/", "http://n:1", "http://n:1/metrics"], ["n:1/metrics", "ssh node3"]),
        (["none"], []),
        (["nvml"], ["nvml"]),
        (["http://node1:9400/metrics"], ["node1:9400/metrics"]),
        (["http://node1:9400", "http://node2:9400/"], ["node1:9400/metrics", "node2:9400/metrics"]),
        (["http://node1:9400/prom/x"], ["node1:9400/prom/x"]),
        (["auto", "nvml", "http://node1:9400"], ["nvml", "h:8000/metrics", "node1:9400/metrics", "host"]),
        (["auto", "http://h:8000/metrics", "http://h:8000"], ["nvml", "h:8000/metrics", "host"]),
        (["http://[::1]:9400"], ["[::1]:9400/metrics"]),
    ],
)
def test_words_become_sources_each_address_once(spec, names):
    assert [source.name for source in resolve(spec, "http://h:8000/v1/chat", None)] == names


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (["dcgm"], "got dcgm; allowed are auto, none, nvml, host, ssh://host, or addresses"),
        (["node1:9400"], "got node1:9400; allowed"),
        (["ftp://node1/metrics"], "got ftp://node1/metrics; allowed"),
        (["http://"], "got http://; allowed"),
        (["http://node1:99999/metrics"], "which is no address"),
        (["http://[::1/metrics"], "which is no address"),
        (
            ["http://node1/\x1b[2Jmetrics"],
            "got http://node1/?[2Jmetrics, which holds spaces or control characters",
        ),
        (["none", "nvml"], "got none nvml, but none stands alone; leave it out, or the others"),
        ([""], "got ; allowed"),
    ],
)
def test_a_word_that_is_none_of_these_is_one_clear_line(spec, words):
    with pytest.raises(TelemetryError) as caught:
        resolve(spec, "http://h:8000", None)
    assert_whole(str(caught.value), words)


@pytest.mark.parametrize(
    "word",
    [
        "http://me:sesame@node1:9400/metrics",
        "http://me:sesame@node1:bad/",
        "me:sesame@x",
        "me:x://sesame@node1",
        "http://node1:9400/metrics?token=sesame",
        "http://node1:9400/metrics?token=a@sesame",
        "http://node1:9400/sesame@/metrics?x",
        "ssh://me:se?sesame@node1",
        "ssh://me:x@y/sesame",
    ],
)
def test_an_address_with_a_password_is_refused_without_showing_it(word):
    with pytest.raises(TelemetryError) as caught:
        resolve([word], "http://h:8000", None)
    assert "sesame" not in str(caught.value)


def test_auto_asks_the_root_of_the_targets_address_and_nvml(served, nvml):
    served.shows("vllm.txt")
    records = opened(resolve(["auto"], f"http://127.0.0.1:{served.port}/v1/completions?x=1", None))
    assert {path for path, _ in served.seen} == {"/metrics"}
    assert kinds(records) == {GpuDevices, GpuSamples, ServerSample}
    assert [message.partition(":")[0] for message in said(records)] == ["NVML", "127.0.0.1"]


def test_auto_leaves_nvml_alone_when_the_target_is_simulated(served, nvml):
    served.says(SIMULATED)
    records = opened(resolve(["auto"], f"http://127.0.0.1:{served.port}", None))
    assert [record.source for record in records if isinstance(record, GpuDevices)] == [served.name]
    assert said(records)[0] == "NVML is left alone: the server is simulated and shows GPUs of its own"


def test_nvml_asked_for_by_name_is_shown_even_beside_a_simulated_target(served, nvml):
    served.says(SIMULATED)
    records = opened(resolve(["auto", "nvml"], f"http://127.0.0.1:{served.port}", None))
    assert [record.source for record in records if isinstance(record, GpuDevices)] == ["nvml", served.name]


def test_auto_shows_nvml_when_the_target_has_no_metrics(served, nvml):
    served.status = 404
    records = opened(resolve(["auto"], f"http://127.0.0.1:{served.port}", None))
    assert kinds(records) == {GpuDevices, GpuSamples}
    assert "HTTP 404: it publishes no metrics there" in said(records)[-1]


def test_gpus_of_this_machine_are_named_so_when_the_target_is_another(nvml, monkeypatch):
    monkeypatch.setattr("telemetry.discover.socket.gethostname", lambda: "login1")
    (source,) = resolve(["nvml"], "http://203.0.113.7:8000", None)  # a documentation address: never ours
    records = opened([source])
    (devices,) = [record for record in records if isinstance(record, GpuDevices)]
    assert {device.host for device in devices.devices} == {"login1"}
    assert said(records)[0].endswith(", all of this machine (login1); the target 203.0.113.7 is another one")


def test_gpus_need_no_such_word_when_the_target_is_here(nvml):
    assert "machine" not in said(opened(resolve(["nvml"], "http://127.0.0.1:8000", None)))[0]


@pytest.mark.parametrize(
    ("host", "here"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("localhost", True), ("", True), ("203.0.113.7", False)],
)
def test_an_address_is_ours_when_the_kernel_lets_us_bind_it(host, here):
    assert on_this_machine(host) is here


def test_the_key_goes_to_the_targets_own_metrics_and_nowhere_else(served, start_metrics_server):
    other = start_metrics_server()
    opened(resolve([served.url, other.url], f"http://127.0.0.1:{served.port}/v1", "sk-secret"))
    assert served.seen[0][1].get("authorization") == "Bearer sk-secret"
    assert "authorization" not in other.seen[0][1]


def test_resolving_imports_no_library_that_is_not_needed_yet():
    code = (
        "import sys, telemetry.discover as d; d.resolve(['auto'], 'http://127.0.0.1:9', None);"
        "print([m for m in ('pynvml', 'httpx', 'prometheus_client', 'numpy', 'ssl') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


# GPUs of this machine: NVML, else a dcgm-exporter on one of its ports.


@pytest.fixture
def no_driver(nvml):
    nvml.says("init 9")
    return "NVML: the NVIDIA driver is installed but not loaded; run nvidia-smi, or sudo modprobe nvidia"


def gpu_source(*ports):
    """The first source of `auto` with a target that is nowhere."""
    return resolve(["auto"], "http://127.0.0.1:9", None, dcgm_ports=ports)[0]


def test_auto_tries_a_dcgm_exporter_where_nvml_has_nothing(no_driver, served, start_metrics_server):
    other = start_metrics_server()
    served.says("something_else 1\n")
    other.shows("dcgm.txt")
    source = gpu_source(served.port, other.port)
    records = source.open(time.monotonic_ns)
    assert said(records)[0] == f"{no_driver}; its GPUs are read from {other.name} instead"
    assert all(record.ok for record in records if isinstance(record, SourceNote))
    assert source.interval_ns == 1_000_000_000
    assert kinds(source.sample(time.monotonic_ns)) == {GpuSamples}
    source.close()


def test_auto_says_what_it_tried_when_nobody_has_gpus(no_driver, served, start_metrics_server):
    other = start_metrics_server()
    other.status = 404
    served.says("something_else 1\n")
    source = gpu_source(served.port, other.port)
    records = source.open(time.monotonic_ns)
    assert said(records) == [f"{no_driver}; no dcgm-exporter at {served.name} or {other.name} either"]
    assert not records[0].ok
    assert source.interval_ns is None
    assert source.sample(time.monotonic_ns) == []
    source.close()


def test_auto_asks_no_exporter_where_nvml_has_gpus(nvml, served):
    source = gpu_source(served.port)
    assert kinds(source.open(time.monotonic_ns)) == {GpuDevices, GpuSamples}
    assert served.seen == []
    source.close()


def test_auto_asks_no_exporter_beside_a_simulated_target(nvml, served, start_metrics_server):
    other = start_metrics_server()
    served.says(SIMULATED)
    source = resolve(["auto"], f"http://127.0.0.1:{served.port}", None, dcgm_ports=(other.port,))[0]
    source.open(time.monotonic_ns)
    assert other.seen == []


def test_an_exporter_that_was_named_is_not_tried_a_second_time():
    (first, *_) = resolve(["auto", "http://127.0.0.1:9400"], "http://h:8000", None, dcgm_ports=(9400,))
    assert isinstance(first, NvmlSource)


@pytest.mark.parametrize(
    ("target", "passed"),
    [
        ("http://gpu-head:8000/v1/chat", "--target http://gpu-head:8000"),
        ("http://127.0.0.1:8000", None),
        ("http://localhost:8000", None),
    ],
)
def test_a_node_is_told_the_target_unless_it_would_mean_another_server_there(target, passed):
    (node,) = resolve(["ssh://node2"], target, None)
    there = command(node._node, node._target_url)[-1]
    assert there.endswith("' sh --answer" + (f" {passed}" if passed else ""))


def test_an_address_may_hold_the_name_of_a_model_and_nothing_else():
    assert [source.name for source in resolve(["http://h:1/?model=q%2Fx"], "", None)] == [
        "h:1/metrics?model=q%2Fx"
    ]
    for query in ("model=a&token=sesame", "token=sesame", "", "model=a&model=b"):
        with pytest.raises(TelemetryError) as caught:
            resolve([f"http://h:1/metrics?{query}"], "", None)
        assert "sesame" not in str(caught.value)


def test_a_routers_page_of_one_model_stands_for_the_targets_own():
    sources = resolve(["auto", "http://h:8000/metrics?model=qwen3"], "http://h:8000", None)
    assert [source.name for source in sources] == ["nvml", "h:8000/metrics?model=qwen3", "host"]


def test_auto_asks_a_router_for_the_model_of_the_run(served):
    served.says("llamacpp:requests_processing 3\n")
    served.without_query = (400, '{"error": {"message": "model name is missing from the request"}}')
    (source,) = resolve([served.url], served.url, "sk-secret", model="qwen3", redact=lambda text: text)
    assert len([r for r in opened([source]) if isinstance(r, ServerSample)]) == 1
    assert [(path, seen["authorization"]) for path, seen in served.seen] == [
        ("/metrics", "Bearer sk-secret"),
        ("/metrics?model=qwen3", "Bearer sk-secret"),
    ]


def test_the_key_is_hidden_in_what_a_server_and_an_exporter_say(served, start_metrics_server):
    exporter = start_metrics_server()
    for server in (served, exporter):
        server.says('DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-sk-secret",Hostname="h"} 5\n')
    sources = resolve(
        [served.url, exporter.url],
        served.url,
        "sk-secret",
        redact=lambda text: text.replace("sk-secret", "***"),
    )
    records = opened(sources)
    assert len([r for r in records if isinstance(r, GpuDevices)]) == 2
    assert "sk-secret" not in repr(records)
