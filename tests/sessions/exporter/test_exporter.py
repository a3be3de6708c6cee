"""A run's figures as Prometheus reads them: by a parser that is not ours where it is installed, and by hand."""

from __future__ import annotations

import json
import re
import shutil
import socket
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from sessions.exporter.exposition import OPENMETRICS, TEXT, exposition
from sessions.exporter.serve import serve
from sessions.frame.schema import Frame
from sessions.frame.session_view import SessionView
from sessions.store.manifest import read, write
from sessions.summary.read import read_summary

TESTS = Path(__file__).parents[2]
RECORDED = TESTS / "sessions" / "store" / "recorded" / "llamacpp"
DASHBOARD = TESTS.parent / "examples" / "grafana" / "ttftop.json"
SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\.)*",?)*)\})? (-?[0-9.e+-]+)')


def last_frame() -> Frame:
    view = SessionView(RECORDED)
    view.read_all()
    return view.frame(view.last_ns, 60 * 10**9, 60)


def samples(text: str) -> dict[str, list[tuple[str, float]]]:
    found: dict[str, list[tuple[str, float]]] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            sample = SAMPLE.fullmatch(line)
            assert sample is not None, line
            found.setdefault(sample[1], []).append((sample[2] or "", float(sample[3])))
    return found


def test_counts_are_those_of_the_summary_and_what_is_unknown_has_no_line() -> None:
    summary, said = read_summary(RECORDED), samples(exposition(last_frame()))
    for name in ("due", "sent", "succeeded"):
        assert said[f"ttftop_requests_{name}_total"] == [("", float(getattr(summary.requests, name)))]
    assert sum(value for _, value in said["ttftop_requests_failed_total"]) == summary.requests.failed
    assert "ttftop_gpu_power_watts" not in said
    assert said["ttftop_live"] == [("", 0.0)]


def test_each_family_has_its_type_before_its_samples_and_openmetrics_ends_with_eof() -> None:
    for openmetrics in (False, True):
        text = exposition(last_frame(), openmetrics=openmetrics)
        assert text.endswith("# EOF\n") is openmetrics
        families = re.findall(r"# TYPE (\S+) (\S+)", text)
        assert len({name for name, _ in families}) == len(families)
        for name, kind in families:
            assert kind in ({"counter", "gauge", "info"} if openmetrics else {"counter", "gauge"})
            assert name.endswith("_total") is (kind == "counter" and not openmetrics)
        assert set(samples(text)) == set(samples(exposition(last_frame())))


def test_text_of_a_stranger_stays_within_its_label() -> None:
    evil = last_frame().__class__(**{**last_frame().__dict__, "model": 'a"} 1\nttftop_evil 2\\'})
    assert "ttftop_evil" not in samples(exposition(evil))


@pytest.mark.parametrize(
    ("accept", "kind"), [("*/*", TEXT), ("application/openmetrics-text;version=1.0.0", OPENMETRICS)]
)
def test_it_answers_until_the_run_is_over(tmp_path: Path, accept: str, kind: str) -> None:
    directory = tmp_path / "s"
    shutil.copytree(RECORDED, directory)
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    serving = threading.Thread(
        target=serve, args=(directory, listening), kwargs={"poll_s": 0.01, "after_s": 2.0}
    )
    serving.start()
    with urllib.request.urlopen(
        urllib.request.Request(f"{url}/metrics", headers={"Accept": accept})
    ) as answer:
        assert answer.headers["Content-Type"] == kind
        assert "ttftop_requests_sent_total" in samples(answer.read().decode())
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{url}/etc/passwd")
    serving.join(20)
    assert not serving.is_alive()


@pytest.mark.parametrize(("kept", "waits_s"), [(True, 0.0), (False, 3600.0)])
def test_it_does_not_wait_for_ever_for_a_run_that_never_begins(
    tmp_path: Path, kept: bool, waits_s: float
) -> None:
    """Its supervisor was killed before it held the session; or the server refused, and the session was
    removed: then the port is free at once for who tries again."""
    directory = tmp_path / "s"
    if kept:
        directory.mkdir()
        (directory / "session.toml").write_bytes((RECORDED / "session.toml").read_bytes())
        manifest = read(directory)
        manifest.end = None
        write(directory, manifest)
    listening = socket.create_server(("127.0.0.1", 0))
    serving = threading.Thread(
        target=serve,
        args=(directory, listening),
        kwargs={"poll_s": 0.01, "after_s": waits_s, "begins_s": 0.05 + waits_s},
        daemon=True,
    )
    serving.start()
    serving.join(20)
    assert not serving.is_alive()


def test_the_dashboard_asks_for_nothing_that_is_not_served() -> None:
    source = (TESTS.parent / "sessions" / "exporter" / "exposition.py").read_text()
    asked = {
        name
        for panel in json.loads(DASHBOARD.read_text())["panels"]
        for target in panel["targets"]
        for name in re.findall(r"ttftop_[a-z_]+", target["expr"])
    }
    assert len(asked) > 10
    for name in asked:
        parts = name.removesuffix("_total").removeprefix("ttftop_")
        served = (
            name.removesuffix("_total") in source
            or parts.removeprefix("gpu_") in source
            or parts.removeprefix("requests_") in source
            or (parts.endswith("_seconds") and f'"{parts.removesuffix("_seconds")}"' in source)
        )
        assert served, name
