"""A search that finds nothing proves something only if it finds what is there: a key planted in each form and place."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import msgspec
import pytest

from benchmarks.common.jobs import MARK, ROOT, processes
from tests.cli.conftest import Command
from tests.security.canary import (
    EXPORTS,
    KEY,
    RECORDED,
    REPORTS,
    SOUGHT,
    WRITTEN,
    contents,
    handed_on,
    hits,
    of_process,
)
from tests.tui.terminal import RawTerminal

__all__ = ["home", "typed"]
from tests.cli.conftest import home, typed

SAYS_SO = "import sys, time; print(*sys.argv[1:], flush=True); time.sleep(60)"


@pytest.mark.parametrize("form", WRITTEN)
def test_each_form_is_found_in_the_middle_of_something(form: str) -> None:
    assert form in hits(b"\x00\xff a log: " + WRITTEN[form] + b"\r\n")


@pytest.mark.parametrize("before", range(6))
def test_base64_is_found_wherever_in_a_text_the_key_stood(before: int) -> None:
    import base64

    text = b"k" * before + KEY.encode() + b" and so on"
    assert any("base64" in form for form in hits(base64.b64encode(text)))
    assert any("base64" in form for form in hits(base64.urlsafe_b64encode(text)))


def test_what_is_no_key_is_not_found() -> None:
    assert hits(b"***" + KEY[:-1].encode() + bytes(range(256))) == []


@pytest.mark.parametrize("form", ["as it stands", "URL", "hex", "base64"])
def test_a_key_in_an_argument_or_the_environment_of_a_process_is_found(form: str, tmp_path: Path) -> None:
    written, mark = WRITTEN[form].decode(), f"planted-{tmp_path.name}"
    for place, arguments, more in (("cmdline", [written], {}), ("environ", [], {"A_KEY": written})):
        argv = [sys.executable, "-c", SAYS_SO, *arguments]
        with subprocess.Popen(
            argv, env={**os.environ, MARK: mark, **more}, stdout=subprocess.PIPE
        ) as process:
            try:
                assert process.stdout is not None
                process.stdout.readline()
                (pid,) = processes(mark)
                assert {name for name, data in of_process(pid).items() if hits(data)} == {place}
            finally:
                process.kill()


@pytest.mark.parametrize("form", ["as it stands", "URL", "hex", "base64"])
def test_a_key_on_a_terminal_is_found(form: str) -> None:
    argv = [sys.executable, "-c", SAYS_SO, WRITTEN[form].decode()]
    with RawTerminal(argv, (120, 40), {**os.environ, "TERM": "xterm-256color"}, ROOT) as terminal:
        terminal.read_until(b"\n")
        assert form in hits(terminal.output)


@pytest.mark.parametrize("form", SOUGHT)
def test_a_key_in_a_file_is_found_plain_and_packed(form: str, tmp_path: Path) -> None:
    data = b"2026 INFO " + SOUGHT[form] + b"\n"
    (tmp_path / "command.log").write_bytes(data)
    (tmp_path / "requests-0.jsonl.gz").write_bytes(gzip.compress(data))
    with zipfile.ZipFile(tmp_path / "packed.ttftop", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("20260101-000000-a/host.jsonl", data)
    assert {path.name for path in tmp_path.iterdir() if form in hits(contents(path))} == {
        "command.log",
        "requests-0.jsonl.gz",
        "packed.ttftop",
    }


def planted(root: Path, name: str) -> None:
    """A session whose name and model are our key, and the error of whose one failed request says it as well."""
    directory = root / name
    shutil.copytree(RECORDED, directory)
    manifest = directory / "session.toml"
    said = manifest.read_text(encoding="utf-8").replace("20261121-074905-recorded", name)
    said = said.replace("random-llama", KEY).replace('"recorded"', f'"{KEY}"')
    manifest.write_text(said, encoding="utf-8")
    requests = directory / "requests-0.jsonl.gz"
    lines = gzip.decompress(requests.read_bytes()).splitlines(keepends=True)
    failed = msgspec.json.decode(lines[0])
    failed |= {"status": 500, "error": {"kind": "http_500", "message": f"no such key: {KEY}"}}
    requests.write_bytes(gzip.compress(b"".join([msgspec.json.encode(failed) + b"\n", *lines[1:]])))


def test_a_key_in_a_report_an_export_or_what_a_command_says_is_found(
    tmp_path: Path, home: Path, typed: Command
) -> None:
    out, root = tmp_path / "out", tmp_path / "sessions"
    out.mkdir()
    root.mkdir()
    # Of words a table of figures has the id alone, which is the directory's name.
    names = ("20260101-000000-a", f"20260101-000001-{WRITTEN['hex'].decode()}")
    for name in names:
        planted(root, name)
    shown = handed_on(typed, *names, out, ["--sessions-dir", str(root)])
    found = {path.name: set(hits(contents(path))) for path in out.iterdir()}
    assert found.keys() == {f"r.{ending}" for ending in REPORTS} | {f"e.{shape}" for shape in EXPORTS}
    assert "hex" in found["r.csv"]
    assert {name for name, forms in found.items() if not forms - {"hex", "hex, capitals"}} == {"r.csv"}
    naming = [where for where in shown if where.startswith(("summary", "sessions"))]
    assert len(naming) == 3
    assert [where for where in naming if not hits(shown[where])] == []
