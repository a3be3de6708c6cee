"""A key that must be nowhere, and the search for it: in which forms, and where what was shown and kept is read."""

from __future__ import annotations

import base64
import gzip
import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.common.jobs import ROOT
from tests.loadgen.target.test_redaction import FORMS

if TYPE_CHECKING:
    from tests.cli.conftest import Command

KEY = "sk-CANARY/0a1b&c2D3e4F5+9"
WRITTEN = {name: write(KEY).encode() for name, write in FORMS.items()}
RECORDED = ROOT / "tests" / "sessions" / "store" / "recorded" / "llamacpp"
REPORTS = ("html", "md", "csv", "json", "txt", "svg")
EXPORTS = ("vllm", "guidellm", "sglang", "llm-d", "csv", "jsonl", "perfetto")


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
    """What every report, every export and every command that reads says of two sessions; files go to `out`."""
    shown: dict[str, bytes] = {}
    for ending in REPORTS:
        done = typed("report", first, second, "-o", str(out / f"r.{ending}"), *kept)
        shown[f"report {ending}"] = (done.stdout + done.stderr).encode()
        assert done.returncode == 0, done.stderr
    for shape in EXPORTS:
        done = typed("export", second, "--as", shape, "-o", str(out / f"e.{shape}"), *kept)
        shown[f"export {shape}"] = (done.stdout + done.stderr).encode()
        assert done.returncode == 0, done.stderr
    for command in (
        ["summary", second],
        ["summary", second, "--json"],
        ["sessions"],
        ["compare", first, second],
    ):
        done = typed(*command, *kept)
        shown[" ".join(command)] = (done.stdout + done.stderr).encode()
    return shown
