from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions.plan.config import LoadConfig, Ramp, RunConfig
from sessions.plan.target_config import TargetConfig
from sessions.store import manifest
from sessions.store.manifest import (
    END_REASONS,
    ClockAnchor,
    EndInfo,
    Manifest,
    SessionError,
    SessionInfo,
    SupervisorInfo,
    read,
    write,
)
from sessions.summary.telemetry import telemetry_sources
from telemetry.records import SourceNote
from tests.sessions.timeline.folding import folded


def example(**changes: object) -> Manifest:
    fields: dict[str, object] = {
        "session": SessionInfo(
            "20261103-120000-a", "a", "2026-11-03T12:00:00+01:00", "0.1.0", "3.11", "node", 7
        ),
        "clock": ClockAnchor(1_793_703_600_000_000_000, 123_456),
        "config": RunConfig(
            TargetConfig("http://127.0.0.1:8000"), LoadConfig(ramp=Ramp(1, 64, 120, "exp"), duration_s=60)
        ),
        "server": {"model": "m", "context_tokens": None, "simulated": True, "endpoints": ["chat"]},
        "host": SupervisorInfo("/tmp/x.sock"),
    }
    return Manifest(**{**fields, **changes})  # type: ignore[arg-type]


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    ended = EndInfo("completed", "2026-11-03T12:01:00+01:00", 60.0, 0, "")
    result = {
        "duration_s": 60.5,
        "itl_ms": {"count": 0, "p50": None},
        "gpus": [{"index": 0, "power_w": None}],
    }
    write(tmp_path, example(end=ended, result=result))
    back = read(tmp_path)
    assert back.config == example().config
    assert back.end == ended
    assert back.server == {"model": "m", "simulated": True, "endpoints": ["chat"]}
    assert back.result == {"duration_s": 60.5, "itl_ms": {"count": 0}, "gpus": [{"index": 0}]}
    assert (back.model, back.simulated, back.version) == ("m", True, "1.0")


def test_the_file_spells_out_the_defaults_that_held_and_is_private(tmp_path: Path) -> None:
    write(tmp_path, example())
    fields = tomli.loads((tmp_path / "session.toml").read_text())
    assert fields["format"] == "ttftop-session"
    assert fields["config"]["load"]["max_in_flight"] == 4096
    assert fields["config"]["load"]["arrivals"] == "poisson"
    assert "end" not in fields
    assert (tmp_path / "session.toml").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["session.toml"]


def test_credentials_in_a_url_do_not_reach_the_disk(tmp_path: Path) -> None:
    canary = "sk-CANARY-1"
    write(tmp_path, example(config=RunConfig(TargetConfig(f"https://me:{canary}@127.0.0.1:8000/v1"))))
    assert canary not in (tmp_path / "session.toml").read_text()
    assert read(tmp_path).target == "https://127.0.0.1:8000/v1"


def test_a_newer_minor_version_loads_and_its_new_fields_are_skipped(tmp_path: Path) -> None:
    write(tmp_path, example())
    path = tmp_path / "session.toml"
    path.write_text(
        path.read_text().replace('version = "1.0"', 'version = "1.7"\nnew = 1') + "\n[weather]\nsun = 1\n"
    )
    assert read(tmp_path).version == "1.7"


def test_a_byte_order_mark_is_no_harm(tmp_path: Path) -> None:
    write(tmp_path, example())
    path = tmp_path / "session.toml"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read(tmp_path).model == "m"


GOOD_HEAD = b'format = "ttftop-session"\nversion = "1.0"\n'
UNREADABLE = {
    "empty": (b"", "not a ttftop session"),
    "foreign": (b'[project]\nname = "x"\n', "not a ttftop session"),
    "syntax": (b"a = = 1", "not readable as TOML"),
    "newer major": (b'format = "ttftop-session"\nversion = "2.0"\n', "newer ttftop"),
    "odd version": (b'format = "ttftop-session"\nversion = "x"\n', "version is 'x'"),
    "number as version": (b'format = "ttftop-session"\nversion = 1e999\n', "version is 'inf'"),
    "tables missing": (GOOD_HEAD, "missing required field `session`"),
    "wrong type": (GOOD_HEAD + b"session = 3\n", "Expected `object`, got `int`"),
    "not utf-8": (b"a = \xff", "not UTF-8 at byte 4"),
    "too long": (b"#" * (256 * 1024 + 1), "more than 262144 bytes"),
    "dotted bomb": (b".".join([b"a"] * 50_000) + b" = 1", "not readable as TOML"),
    "nested bomb": (b"a = " + b"[" * 50_000 + b"]" * 50_000, "not readable as TOML"),
    "huge int": (b"format = " + b"9" * 10_000, ""),
    "infinity": (
        GOOD_HEAD + b"[result]\nduration_s = inf\n",
        "result.duration_s is inf, need a number up to",
    ),
    "not a number": (GOOD_HEAD + b"[result]\na = [{b = nan}]\n", "result.a.b is nan"),
    "a date": (GOOD_HEAD + b"[server]\nmodel = 2026-11-03\n", "server.model is no text, number or truth"),
    "200 bits": (GOOD_HEAD + b"[client]\nworkers = " + b"9" * 60, "client.workers is a whole number of more"),
    "a key twice": (GOOD_HEAD + b"a = 1\na = 2\n", "not readable as TOML"),
    "a lone surrogate": (GOOD_HEAD + b'a = "\\ud800"\n', "not readable as TOML"),
    "nul": (b"\x00" * 10, "not readable as TOML"),
}


@pytest.mark.parametrize(("data", "why"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_is_no_manifest_is_refused_in_one_line_that_names_it(
    tmp_path: Path, data: bytes, why: str
) -> None:
    (tmp_path / "session.toml").write_bytes(data)
    with pytest.raises(SessionError) as refused:
        read(tmp_path)
    text = str(refused.value)
    assert text.startswith(str(tmp_path / "session.toml"))
    assert why in text
    assert "\n" not in text


def test_a_missing_a_special_and_an_unreadable_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="no such file"):
        read(tmp_path / "nowhere")
    (tmp_path / "session.toml").mkdir()
    with pytest.raises(SessionError, match=r"directory|regular"):
        read(tmp_path)
    (tmp_path / "session.toml").rmdir()
    os.mkfifo(tmp_path / "session.toml")
    with pytest.raises(SessionError, match="regular"):
        read(tmp_path)


def test_a_manifest_that_is_a_link_is_refused_wherever_it_leads(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    write(tmp_path / "a", example())
    for number, to in enumerate((tmp_path / "a" / "session.toml", "/dev/zero", "/etc/passwd", "nowhere")):
        directory = tmp_path / f"link{number}"
        directory.mkdir()
        (directory / "session.toml").symlink_to(to)
        with pytest.raises(SessionError, match="a link, which is not followed"):
            read(directory)


@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_manifest_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    write(tmp_path, example())

    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        if call == "replace":
            patch.setattr(Path, "replace", refuse)
        else:
            patch.setattr(os, call, refuse)
        with pytest.raises(SessionError, match="No space left"):
            write(tmp_path, example(server={"model": "other"}))
    assert read(tmp_path).model == "m"
    assert [path.name for path in tmp_path.iterdir()] == ["session.toml"]


def test_a_result_too_long_to_read_back_loses_its_steps_only(tmp_path: Path) -> None:
    steps = [{"from_s": float(i), "note": "x" * 100} for i in range(4000)]
    write(tmp_path, example(result={"duration_s": 1.0, "steps": steps}))
    assert read(tmp_path).result == {"duration_s": 1.0}


def test_a_manifest_of_more_gpus_and_sources_than_fit_can_be_read_again(tmp_path: Path) -> None:
    many = [
        {"source": "s" * 300, "message": "m" * 300, "said": [{"message": "x" * 300}] * 9} for _ in range(64)
    ]
    gpus = [
        {"gpu": f"GPU-{i}", "name": "n" * 120, "host": "h" * 300, "source": "s" * 300} for i in range(256)
    ]
    result = {"duration_s": 1.0, "valid": True, "telemetry": many, "gpus": gpus * 2}
    write(tmp_path, example(result=result, telemetry={"sources": many, "gpus": gpus}))
    back = read(tmp_path)
    assert back.result is not None
    assert (back.result["duration_s"], back.result["valid"]) == (1.0, True)
    assert "telemetry" not in back.result


def test_sources_that_came_and_went_for_minutes_are_kept_in_a_manifest_that_can_be_read(
    tmp_path: Path,
) -> None:
    notes = [
        SourceNote(t * 10**9, f"node{n:02}:9400/metrics", t % 2 == 0, f"node{n:02}: {'x' * 100} {t}")
        for n in range(48)
        for t in range(240)
    ]
    words = msgspec.to_builtins(telemetry_sources(folded(*notes)))
    write(tmp_path, example(result={"duration_s": 240.0, "telemetry": words}))
    result = read(tmp_path).result
    assert result is not None
    assert result["telemetry"] == words


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(["\ud800", "\x00\x1b[2J", "x" * 70_000, 10**30, 2**63, math.inf, math.nan, 1e19])
)
TABLES = st.dictionaries(
    st.text(max_size=4) | st.just("\udc80"),
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=6,
)


@settings(max_examples=150, deadline=None)
@given(result=TABLES, server=TABLES, telemetry=TABLES, message=st.text(max_size=9) | st.just("\ud800"))
def test_whatever_a_run_comes_to_its_manifest_is_read_back(
    result: dict[str, Any], server: dict[str, Any], telemetry: dict[str, Any], message: str
) -> None:
    said = example(
        result=result,
        server=server,
        telemetry=telemetry,
        end=EndInfo("completed", "now", math.inf, 0, message),
    )
    with tempfile.TemporaryDirectory() as directory:
        write(Path(directory), said)
        back = read(Path(directory))
    assert back.config == said.config
    assert back.end == EndInfo("completed", "now", None, 0, message.encode("utf-8", "replace").decode())
    if "" not in server and all(type(value) is str and len(value) < 200 for value in server.values()):
        assert back.server == {
            key.encode("utf-8", "replace").decode(): value.encode("utf-8", "replace").decode()
            for key, value in server.items()
        }


def test_a_configuration_too_long_to_be_kept_is_refused_in_one_line(tmp_path: Path) -> None:
    long = RunConfig(TargetConfig("http://127.0.0.1:8000/" + "x" * 300_000))
    with pytest.raises(SessionError, match="what the run was asked is"):
        write(tmp_path, example(config=long))
    assert not list(tmp_path.iterdir())


def test_a_model_of_300_000_characters_leaves_a_session_that_can_be_read(tmp_path: Path) -> None:
    write(tmp_path, example(server={"model": "A" * 300_000}))
    assert read(tmp_path).model == "A" * 200


def test_every_reason_of_an_end_has_its_sentence() -> None:
    assert set(END_REASONS) == {
        *("completed", "finished", "interrupted", "aborted", "orphaned", "gave_up"),
        *("worker_lost", "failed", "unsaved", "killed"),
    }
    assert all(END_REASONS.values())
    assert manifest.VERSION == "1.0"


def test_20_000_marks_leave_a_manifest_that_keeps_its_figures(tmp_path: Path) -> None:
    marks = [{"at_s": float(i), "kind": "mark", "label": "m" * 200} for i in range(20_000)]
    result = {"duration_s": 1.0, "valid": True, "requests": {"sent": 7}, "marks": marks}
    write(tmp_path, example(result=result))
    assert read(tmp_path).result == {"duration_s": 1.0, "valid": True, "requests": {"sent": 7}}


@pytest.mark.parametrize(
    ("url", "insecure", "has_tls", "unverified"),
    [
        ("https://h", True, True, True),
        ("HTTPS://h", True, True, True),
        ("https://h", False, True, False),
        ("http://h", True, False, False),
        ("unix:/run/h.sock", True, False, False),
    ],
)
def test_a_server_is_unverified_where_there_is_tls_and_nobody_looks_at_its_certificate(
    url: str, insecure: bool, has_tls: bool, unverified: bool
) -> None:
    made = example()
    made.config = RunConfig(TargetConfig(url, insecure=insecure))
    assert (made.has_tls, made.unverified) == (has_tls, unverified)
