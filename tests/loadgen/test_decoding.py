"""Threads that decode the same types for the first time do not get in each other's way."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from sessions.store.manifest import Manifest, read

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "tests/sessions/store/recorded/llamacpp"
AT_ONCE = """
import sys, threading
from pathlib import Path
from sessions.store.manifest import read

sys.setswitchinterval(1e-6)
together = threading.Barrier(8)
failed = []

def one():
    together.wait()
    try:
        read(Path(sys.argv[1]))
    except BaseException as error:
        failed.append(repr(error))

threads = [threading.Thread(target=one) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
sys.exit("; ".join(failed) or 0)
"""


@pytest.mark.parametrize("attempt", range(3))
def test_a_manifest_is_read_by_many_threads_at_once(attempt: int) -> None:
    assert isinstance(read(RECORDED), Manifest)
    done = subprocess.run(
        [sys.executable, "-c", AT_ONCE, RECORDED], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_type_that_is_decoded_is_ready_before() -> None:
    strays = []
    for room in ("loadgen", "sessions", "tui"):
        for path in sorted((ROOT / room).rglob("*.py")):
            if path == ROOT / "loadgen/decoding.py":
                continue
            for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                shape = _shape(call)
                if shape is not None and not ast.unparse(shape).startswith(("ready(", "list[msgspec.Raw]")):
                    strays.append(f"{path.relative_to(ROOT)}:{call.lineno}: {ast.unparse(call)}")
    assert strays == []


def _shape(call: ast.AST) -> ast.expr | None:
    """The type that a call of msgspec decodes into; None of any other call."""
    if not isinstance(call, ast.Call):
        return None
    name = ast.unparse(call.func)
    named = next((word.value for word in call.keywords if word.arg == "type"), None)
    if name in ("msgspec.json.Decoder", "msgspec.msgpack.Decoder"):
        return named or next(iter(call.args), None)
    if name in ("msgspec.convert", "msgspec.json.decode", "msgspec.msgpack.decode", "msgspec.toml.decode"):
        return named or next(iter(call.args[1:]), None)
    return None
