"""A search that finds nothing proves something only if it finds what is there: a key planted in each form and place."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import msgspec
import pytest

from benchmarks.common.jobs import MARK, ROOT, processes
from tests.cli.conftest import Command
from tests.security.canary import (
    BREAKS,
    EXPORTS,
    KEY,
    MADE,
    PICTURES,
    RECORDED,
    REPORTS,
    SOUGHT,
    WRITTEN,
    files_in,
    handed_on,
    hits,
    of_process,
    searched_to_its_end,
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


PLANTING = """
import sys, time
from pathlib import Path
Path(sys.argv[2], "below").mkdir()
Path(sys.argv[2], "below", "node.log").write_text(sys.argv[1])
print(sys.argv[1], file=sys.stderr, flush=True)
time.sleep(60)
"""


class Page(BaseHTTPRequestHandler):
    """An exporter with our key in a label."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'ttftop_run_info{model="' + KEY.encode() + b'"} 1\n')

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("called", ["/ssh", "agent"])
def test_a_key_in_a_command_its_nodes_their_files_or_a_page_is_found(called: str, tmp_path: Path) -> None:
    nodes = tmp_path / "nodes"
    nodes.mkdir()
    with HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        argv = [sys.executable, "-c", PLANTING, KEY, str(nodes), called, "exec sessions.nodes.agent"]
        environment = {**os.environ, MARK: f"planted-{tmp_path.name}"}
        page = f"http://127.0.0.1:{server.server_port}/metrics"
        _, shown = searched_to_its_end(argv, environment, nodes, page, enough="nodes/below/node.log")
        server.shutdown()
    found = {where.rstrip("0123456789 ") for where, data in shown.items() if hits(data)}
    name = called.strip("/")
    assert found == {f"cmdline of {name}", "node: below/node.log", "node: said", "/metrics", "said"}


@pytest.mark.parametrize("broken", ["loadgen.worker.engine:Engine._launch", "tui.views.overview:compose"])
def test_a_key_in_the_variables_of_a_bug_is_found_where_a_traceback_tells_them(
    broken: str, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(BREAKS, encoding="utf-8")
    (tmp_path / "key").write_text(KEY, encoding="utf-8")
    module, _, name = broken.partition(":")
    tells = (
        "import sys, traceback as t; sys.excepthook = lambda *of: "
        "sys.stderr.write(''.join(t.TracebackException(*of, capture_locals=True).format()));"
        f"import {module} as module; module.{name}()"
    )
    path = os.pathsep.join([str(tmp_path), str(ROOT), *sys.path[1:]])
    environment = os.environ | {
        "PYTHONPATH": path,
        "CANARY_BREAKS": broken,
        "CANARY_FILE": str(tmp_path / "key"),
    }
    done = subprocess.run([sys.executable, "-c", tells], env=environment, capture_output=True, check=False)
    assert MADE in done.stderr
    assert "as it stands" in hits(done.stderr)


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
    found = {name for name, held in files_in(tmp_path).items() if form in hits(held)}
    assert found == {"command.log", "requests-0.jsonl.gz", "packed.ttftop"}


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
    found: dict[str, set[str]] = {}
    for name, data in files_in(out).items():
        found.setdefault(name.partition("/")[0], set()).update(hits(data))
    more = {"requests.csv", "packed.ttftop", "junit.xml"}
    assert found.keys() == {f"r.{ending}" for ending in REPORTS} | {f"e.{shape}" for shape in EXPORTS} | more
    assert {name for name, forms in found.items() if not forms} <= PICTURES
    of_words = {name for name, forms in found.items() if forms - {"hex", "hex, capitals"}}
    assert of_words == found.keys() - {"r.csv", "junit.xml", *PICTURES}
    # Commands that tell no names: how long a packed file is, that there is no limit, ids cut to a width.
    nameless = ("sessions pack", "limit", f"compare {' '.join(names)}")
    silent = {where for where, data in shown.items() if not hits(data) and not where.startswith(nameless)}
    assert {where for where in silent if not where.startswith(("report", "export", "replay"))} == set()
    assert hits(shown[f"compare {' '.join(names)} --anyway --json"])
