"""Any value of a manifest may be anything: the list, the summary and a frame still come, or a line says why."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import tomli
import tomli_w

from loadgen.trace.figures import TraceFigures
from sessions.frame.session_view import SessionView
from sessions.plan.config import WorkloadConfig
from sessions.plan.trace_config import TraceConfig
from sessions.store.manifest import EndInfo, SessionError, read, write
from sessions.summary.read import read_summary
from sessions.summary.schema import plain
from tests.sessions.conftest import make
from tests.sessions.summary.summing import stored
from tui.commands.sessions import describe, rows_of
from tui.report.brief import brief
from tui.report.plan_columns import COLUMNS
from tui.report.text import render

ESCAPES = "A\x1b]0;PWN\x07\x9b2J\x00\x1b[2J\r\u202e"
ODD = [
    *(-1, 0, 10**30, -(10**30), 2**63 - 1, 1e308, float("nan"), float("inf"), -float("inf"), True),
    *("", "x", ESCAPES, "A" * 20_000, "../../etc/passwd", [], [[]], [1, "a"], {}, {"a": {"b": [{}]}}),
    *(datetime(1, 1, 1), date(9999, 12, 31), [{"x": 1}]),
]
RAW = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("odd") / "20261103-120000-made"
    directory.mkdir()
    run = make(seconds=2.0, rate_rps=5.0)
    stored(run, directory)
    config = run.manifest.config
    figures = TraceFigures(9, 2.0, 8.0, 4.0, 8, 4, 5.0, 1, True)
    trace = TraceConfig("t.csv", speed=2.0, form="azure", figures=figures, compiled="/s/trace-0.bin")
    load = msgspec.structs.replace(config.load, trace=trace, arrivals="gamma", burstiness=0.5)
    work = WorkloadConfig(100, "8..9", [], "2..3", "1s", 7, "x-session")
    run.manifest.config = msgspec.structs.replace(config, load=load, workload=work)
    run.manifest.end = EndInfo("completed", "2026-11-03T12:01:00+01:00", 60.0)
    run.manifest.client = {"workers": 2, "calibrated_events_per_s": 1000.0, "descriptor_limit": 1024}
    run.manifest.telemetry = {
        "sources": [{"source": "s", "ok": True, "message": "m"}],
        "gpus": [{"gpu": "g", "index": 0, "name": "n"}],
    }
    run.manifest.result = plain(read_summary(directory))
    write(directory, run.manifest)
    return directory


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list):
        for i, item in enumerate(value[:2]):
            yield from places(item, (*path, i))


def with_odd(fields: dict[str, Any], path: tuple[Any, ...], odd: Any) -> bytes:
    fields = copy.deepcopy(fields)
    inner: Any = fields
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = odd
    return tomli_w.dumps(fields).encode()


def test_no_value_of_a_manifest_takes_the_list_of_sessions_away(session: Path) -> None:
    whole = (session / "session.toml").read_bytes()
    fields = tomli.loads(whole.decode())
    told = 0
    for number, path in enumerate(places(fields)):
        odd = ODD[number % len(ODD)]
        (session / "session.toml").write_bytes(with_odd(fields, path, odd))
        try:
            text = rows_of([describe(session)])
        except Exception as error:
            raise AssertionError(f"{path} = {odd!r:.60}") from error
        assert not RAW.search(text), (path, odd)
        told += "unreadable" in text
    (session / "session.toml").write_bytes(whole)
    assert told > 10


@pytest.mark.slow
def test_no_value_of_a_manifest_takes_summary_or_frame_away(session: Path) -> None:
    whole = (session / "session.toml").read_bytes()
    fields = tomli.loads(whole.decode())
    del fields["result"]["limits"], fields["result"]["steps"]
    looked_at = 0
    for number, path in enumerate(places(fields)):
        if path[0] == "result" and number % 3:
            continue
        odd = ODD[number * 7 % len(ODD)]
        (session / "session.toml").write_bytes(with_odd(fields, path, odd))
        try:
            read(session)
        except SessionError:
            continue
        looked_at += 1
        try:
            summary = read_summary(session)
            text = render(summary) + brief(summary)
            json.dumps(plain(summary), allow_nan=False)
            view = SessionView(session)
            view.poll()
            view.frame(view.last_ns, 10**10, 20)
            view.close()
        except Exception as error:
            raise AssertionError(f"{path} = {odd!r:.60}") from error
        assert not RAW.search(text), (path, odd)
    (session / "session.toml").write_bytes(whole)
    assert looked_at > 40


@pytest.mark.slow
@pytest.mark.parametrize("odd", [ESCAPES, 0, 1e308, -1e308, 1e-308, 2**62], ids=str)
def test_nothing_that_was_asked_for_says_more_than_text_or_breaks_a_figure(session: Path, odd: Any) -> None:
    whole = (session / "session.toml").read_bytes()
    fields = tomli.loads(whole.decode())
    asked = [path for path in places(fields) if path[:2] in (("config", "load"), ("config", "workload"))]
    assert len(asked) > 15
    for path in asked:
        (session / "session.toml").write_bytes(with_odd(fields, path, odd))
        try:
            text = "".join(form(read_summary(session)) for form in (render, brief))
        except SessionError:
            continue
        finally:
            (session / "session.toml").write_bytes(whole)
        assert not RAW.search(text), path


@pytest.mark.parametrize("column", ["input_tokens", "output_tokens"])
def test_a_length_in_the_table_of_a_plan_is_text(column: str) -> None:
    assert not RAW.search(COLUMNS[column][1](SimpleNamespace(**{column: ESCAPES})))  # type: ignore[arg-type]
