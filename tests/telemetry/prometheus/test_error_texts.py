"""Whatever a /metrics address lacks: one note of two lines at most, with what was got and what to do."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
from contextlib import ExitStack

import pytest
import trustme

from telemetry.prometheus import scrape as scraping
from telemetry.prometheus.scrape import ScrapeTarget
from telemetry.prometheus.source import PrometheusSource
from telemetry.records import SourceNote
from tests.error_texts import assert_whole, made_in, untold, whole_folder

MAKERS = {
    "telemetry/prometheus/scrape.py": ("Failure", "TooSlow", "ModelWanted", "_broken()"),
    "telemetry/prometheus/source.py": ("Failure",),
    "telemetry/prometheus/exposition.py": ("TooMuch",),
}
CASES = {
    "not found": ("404", "--metrics"),
    "switched off": ("501", "--metrics"),
    "a key is wanted": ("401", "TTFTOP_API_KEY"),
    "forbidden": ("403",),
    "another page": ("302", "/elsewhere"),
    "a redirect that names nothing": ("302", "--telemetry"),
    "a redirect to no address": ("--telemetry",),
    "two addresses that point at each other": ("--telemetry",),
    "a model is wanted": ("400", "model name is missing", "?model=NAME"),
    "words of its own": ("500", "out of cheese"),
    "no words": ("503",),
    "nobody listens": ("Connection refused",),
    "no connection": ("0.2 s",),
    "no answer": ("0.2 s", "10 s"),
    "drips": ("0.4 s",),
    "no HTTP": ("RemoteProtocolError",),
    "an unknown certificate": ("certificate verify failed", "--ca"),
    "no CA file": ("/nowhere.pem", "PEM"),
    "a key with a line end": ("ASCII",),
    "compressed unasked": ("br", "plain text"),
    "compressed and broken": ("gzip", "plain text"),
    "bytes without end": ("1 MiB",),
    "lines without end": ("10,000",),
    "a line without end": ("8 MiB",),
    "known lines that are long": ("8 MiB",),
    "no line that is Prometheus text": ("line 1",),
    "no value that can be": ("no value",),
    "of something else": ("vLLM, SGLang, TGI, llama.cpp, DCGM",),
}
TOLD: dict[str, str] = {}
KNOWN = "vllm:num_requests_running"


def target_of(name, served, patch, opened: ExitStack):
    """Makes the address what `name` says; what to scrape."""
    here = served.url
    codes = {"not found": 404, "switched off": 501, "a key is wanted": 401, "forbidden": 403, "no words": 503}
    served.status = codes.get(name, 200)
    if name == "two addresses that point at each other":
        served.redirects = {"/metrics": (302, f"{here}/"), "/metrics/": (302, f"{here}//")}
    elif name == "another page":
        served.redirects = {"/metrics": (302, "/elsewhere")}
    elif name == "a redirect that names nothing":
        served.redirects = {"/metrics": (302, "")}
    elif name == "a redirect to no address":
        served.redirects = {"/metrics": (302, "http://[")}
    elif name == "a model is wanted":
        served.without_query = (400, '{"error": "model name is missing from the request"}')
    elif name == "words of its own":
        served.status, served.body = 500, b"out of cheese"
    elif name == "nobody listens":
        served.stop()
    elif name == "no connection":
        return ScrapeTarget(full_backlog(opened))
    elif name == "no answer":
        served.release.clear()
    elif name == "drips":
        served.shows("vllm.txt")
        served.drip_s = 0.05
    elif name == "no HTTP":
        return ScrapeTarget(no_http(opened))
    elif name == "an unknown certificate":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
        served.wrap(context)
        return ScrapeTarget(here.replace("http:", "https:"))
    elif name == "no CA file":
        return ScrapeTarget(here.replace("http:", "https:"), ca_file="/nowhere.pem")
    elif name == "a key with a line end":
        return ScrapeTarget(here, "sk-secret\nx")
    elif name == "compressed unasked":
        served.body, served.headers = b"\x0b\x02\x80", {"content-encoding": "br"}
    elif name == "compressed and broken":
        served.body, served.headers = gzip.compress(b"x" * 999)[:-9], {"content-encoding": "gzip"}
    elif name == "bytes without end":
        patch.setattr(scraping, "MOST_READ_BYTES", 1 << 20)
        served.body = b"# padding\n" * 200_000
    elif name == "lines without end":
        served.body = b"".join(b'%s{m="%d"} 1\n' % (KNOWN.encode(), n) for n in range(10_001))
    elif name == "a line without end":
        served.body = KNOWN.encode() + b'{m="' + b"x" * (9 << 20)
    elif name == "known lines that are long":
        served.body = (KNOWN.encode() + b'{m="' + b"x" * (1 << 20) + b'"} 1\n') * 9
    elif name == "no line that is Prometheus text":
        served.says(f"{KNOWN} four\n")
    elif name == "no value that can be":
        served.says(f"{KNOWN} NaN\n")
    elif name == "of something else":
        served.says("tgi_unknown 1\n")
    return ScrapeTarget(here)


def full_backlog(opened):
    """An address that takes no further connection, as behind a firewall that drops."""
    listening = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
    for _ in range(3):
        filling = opened.enter_context(socket.socket())
        filling.setblocking(False)
        filling.connect_ex(listening.getsockname())
    return f"http://127.0.0.1:{listening.getsockname()[1]}/metrics"


def no_http(opened):
    """An address where what is said is no HTTP."""
    listening = opened.enter_context(socket.create_server(("127.0.0.1", 0)))

    def answer():
        taken, _ = listening.accept()
        with taken:
            taken.recv(4096)
            taken.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

    talking = threading.Thread(target=answer, daemon=True)
    talking.start()
    opened.callback(talking.join, 5)
    return f"http://127.0.0.1:{listening.getsockname()[1]}/metrics"


def told_of(name, start_metrics_server, patch):
    if name not in TOLD:
        timed = name in ("no connection", "no answer", "drips")
        if timed:
            patch.setattr(scraping, "TIMEOUT_S", 0.2)
        with ExitStack() as opened:
            target = target_of(name, start_metrics_server(), patch, opened)
            source = PrometheusSource(target._replace(patient=not timed))
            opened.callback(source.close)
            (note,) = [one for one in source.open(time.monotonic_ns) if isinstance(one, SourceNote)]
            assert not note.ok
            TOLD[name] = note.message
            assert "sk-secret" not in note.message
    return TOLD[name]


@pytest.mark.parametrize("name", CASES)
def test_what_an_address_lacks_is_told_with_what_was_got_and_what_to_do(
    name, start_metrics_server, monkeypatch
):
    with monkeypatch.context() as patch:
        assert_whole(told_of(name, start_metrics_server, patch), "127.0.0.1:", *CASES[name])


def test_each_place_of_the_source_that_tells_of_an_address_is_among_them(start_metrics_server, monkeypatch):
    for name in CASES:
        with monkeypatch.context() as patch:
            told_of(name, start_metrics_server, patch)
    assert untold(MAKERS, TOLD.values()) == []


def test_the_folder_has_no_other_maker_of_such_texts():
    found = {
        file
        for makers in MAKERS.values()
        for file in whole_folder("telemetry/prometheus", makers)
        if list(made_in(file, makers))
    }
    assert found == set(MAKERS)
