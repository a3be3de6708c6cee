"""A key that must be nowhere, and the search for it: in which forms, and where what was shown and kept is read."""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import os
import signal
import subprocess
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

from benchmarks.common.jobs import MARK, ROOT, processes
from sessions.exporter.exposition import exposition
from sessions.frame.session_view import SessionView
from tests.loadgen.target.test_redaction import FORMS
from tui.commands.export import SHAPES as EXPORTS
from tui.commands.report import ENDINGS

if TYPE_CHECKING:
    from tests.cli.conftest import Command

KEY = "sk-CANARY/0a1b&c2D3e4F5+9"
WRITTEN = {name: write(KEY).encode() for name, write in FORMS.items()}
RECORDED = ROOT / "tests" / "sessions" / "store" / "recorded" / "llamacpp"
REPORTS = tuple(ending[1:] for ending in ENDINGS if ending != ".png" or find_spec("resvg_py") is not None)
PICTURES = frozenset({"r.png"})
"""Their words are dots, drawn of the SVG whose words are looked through."""


def _within_base64(before: int) -> bytes:
    """The letters that are the key's alone, wherever it stands in a text that is written in base64."""
    letters = base64.b64encode(b"\0" * before + KEY.encode())
    return letters[-(-before * 8 // 6) : (before + len(KEY)) * 8 // 6]


_URL = bytes.maketrans(b"+/", b"-_")
SOUGHT = {
    **WRITTEN,
    **{f"base64, {before} before": _within_base64(before) for before in range(3)},
    **{f"base64 for URLs, {before} before": _within_base64(before).translate(_URL) for before in range(3)},
}


def hits(data: bytes) -> list[str]:
    """The forms in which the key stands there."""
    small = data.lower()
    return [name for name, form in SOUGHT.items() if form.lower() in small]


def of_process(pid: int) -> dict[str, bytes]:
    return {file: Path(f"/proc/{pid}/{file}").read_bytes() for file in ("cmdline", "environ")}


def contents(path: Path) -> bytes:
    """What a file holds, unpacked."""
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        return gzip.decompress(data)
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(path) as packed:
            return b"".join(packed.read(name) for name in packed.namelist())
    return data


def handed_on(typed: Command, first: str, second: str, out: Path, kept: list[str]) -> dict[str, bytes]:
    """What every report, every export, every command that reads and Prometheus are told of two sessions; files
    go to `out`."""
    shown: dict[str, bytes] = {}

    def told(*command: str, codes: tuple[int, ...] = (0,)) -> None:
        done = typed(*command, *kept)
        assert done.returncode in codes, done.stderr
        shown[" ".join(command)] = (done.stdout + done.stderr).encode()

    for ending in REPORTS:
        told("report", first, second, "-o", str(out / f"r.{ending}"))
    told("report", second, "-o", str(out / "requests.csv"), "--requests")
    for shape in EXPORTS:
        told("export", second, "--as", shape, "-o", str(out / f"e.{shape}"))
    told("sessions")
    told("sessions", "pack", second, "-o", str(out / "packed.ttftop"))
    told("sessions", "--json")
    told("replay", second, "--plain")
    told("compare", first, second, codes=(0, 2))
    told("compare", first, second, "--anyway", "--json", codes=(0, 2))
    judged = ["--slo", "ttft.p95<1s, errors<50%"]
    told("limit", first, second, *judged, "--json", codes=(0, 1, 2))
    for form in ([], ["--all"], ["--json"], [*judged, "--junit", str(out / "junit.xml")]):
        told("summary", second, *form, codes=(0, 1))
    view = SessionView(Path(kept[1]) / second)
    view.read_all()
    frame = view.frame(view.last_ns, 60 * 10**9, 60)
    for openmetrics in (False, True):
        shown[f"/metrics, OpenMetrics {openmetrics}"] = exposition(frame, openmetrics=openmetrics).encode()
    return shown


def files_in(place: Path) -> dict[str, bytes]:
    """What every file in it and below holds, unpacked, by its way from there; one that is gone meanwhile has none."""
    found = {}
    for path in place.rglob("*"):
        with contextlib.suppress(OSError):
            if path.is_file():
                found[str(path.relative_to(place))] = contents(path)
    return found


def searched_to_its_end(
    command_line: list[str], environment: dict[str, str], nodes: Path, page: str = "", enough: str = ""
) -> tuple[int, dict[str, bytes]]:
    """A command's exit code, and what it said, what of it and all its processes could be read on the way, what
    lay in `nodes`, and what `page` showed. It is interrupted once files of the pattern `enough` hold something."""
    shown: dict[str, bytes] = {}
    with (
        (nodes / "said").open("wb+") as said,
        subprocess.Popen(
            command_line,
            env=environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        ) as command,
    ):
        try:
            while command.poll() is None:
                shown |= of_processes(environment[MARK])
                shown |= {f"node: {name}": data for name, data in files_in(nodes).items()}
                if enough and any(path.stat().st_size for path in nodes.parent.glob(enough)):
                    command.send_signal(signal.SIGINT)
                    enough = ""
                if page:
                    with contextlib.suppress(OSError), urlopen(page) as answer:
                        shown["/metrics"] = answer.read()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    command.wait(0.2)
        finally:
            command.kill()
            for pid in processes(environment[MARK]):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        said.seek(0)
        shown["said"] = said.read()
    return command.returncode, shown


def of_processes(mark: str) -> dict[str, bytes]:
    """Arguments and environment of each; one of a command is an ssh, or what that started, by its words."""
    shown = {}
    for pid, name in processes(mark).items():
        with contextlib.suppress(OSError):  # gone meanwhile
            read = of_process(pid)
            if name == "command" and b"sessions.nodes.agent" in read["cmdline"]:
                name = "ssh" if b"/ssh\0" in read["cmdline"] else "agent"
            shown |= {f"{file} of {name} {pid}": data for file, data in read.items()}
    return shown


MADE = b"RuntimeError: made to fail"
BREAKS = """
import os, sys
from importlib.machinery import PathFinder

MODULE, _, NAME = os.environ.get("CANARY_BREAKS", "").partition(":")


class Breaking:
    def find_spec(self, name, path, target=None):
        if name != MODULE:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path)
        execute = spec.loader.exec_module

        def execute_and_break(module):
            execute(module)
            *owners, last = NAME.split(".")
            owner = module
            for part in owners:
                owner = getattr(owner, part)

            def broken(*arguments, **named):
                with open(os.environ["CANARY_FILE"]) as file:
                    key = file.read()
                header = {"authorization": f"Bearer {key}"}
                raise RuntimeError("made to fail" + os.environ.get("CANARY_SAID", "").format(key))

            setattr(owner, last, broken)

        spec.loader.exec_module = execute_and_break
        return spec


sys.meta_path.insert(0, Breaking())
"""
"""As a `sitecustomize` of every process: a bug in one function, which has our key in its variables, and says it
as well where `CANARY_SAID` has a place for it."""
