"""Looks for bytes that break a reader: `python -m tests.fuzz [TARGET...] --seconds 60`.

With atheris (`pip install atheris`; it has no wheel for each Python) inputs are chosen by what code they reach;
`--plain` needs nothing, and changes inputs of the corpus at random. A break ends the command with its traceback,
and stands in `tests/fuzz/corpus/TARGET` for `test_corpus.py`. `--keep`: what reached new code is kept there, too.
`--docs PAGE`: how many were tried of each is written into its section, where targets that were not named keep what
stands there.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from benchmarks.common.section import machine, write
from tests.fuzz.targets import CORPUS, TARGETS

_MOST_BYTES = 10_240
"""More than the longest input of the corpus: libFuzzer cuts a longer one, and half a file of TOML is none."""
_KEPT, _MOST_KEPT_BYTES = 40, 1024
"""Inputs of a target that are kept at the most, the smallest; and how long one of them may be."""

_ROOT = Path(__file__).parents[2]
_ROOMS = tuple(str(_ROOT / room) for room in ("loadgen", "sessions", "telemetry", "tui"))

_UNDER_ATHERIS = """
import sys, atheris
with atheris.instrument_imports(include=["loadgen", "sessions", "telemetry", "tui"]):
    from tests.fuzz.targets import TARGETS
target = TARGETS[sys.argv.pop(1)]
atheris.Setup(sys.argv, lambda data: target(bytes(data)))
atheris.Fuzz()
"""


class Tried(NamedTuple):
    target: str
    inputs: int
    seconds: int
    new: int | None
    """Inputs that reached new code; None: nobody looked."""
    broke: bool


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", help="all unless named")
    parser.add_argument("--seconds", type=int, default=60, help="of each target (60)")
    parser.add_argument("--seed", type=int, default=1, help="(1)")
    parser.add_argument("--plain", action="store_true", help="without atheris")
    parser.add_argument("--keep", action="store_true", help="add to the corpus what reached new code")
    parser.add_argument("--docs", type=Path, help="a page whose section is rewritten")
    asked = parser.parse_args()
    where = machine()
    found = [(_plain if asked.plain else _guided)(name, asked) for name in asked.targets or TARGETS]
    broken = [tried.target for tried in found if tried.broke]
    print(f"{len(found)} targets, {len(broken)} broken{''.join(f' {name}' for name in broken)}")
    if asked.docs is not None:
        led = "changed at random" if asked.plain else "led by atheris"
        told = {tried.target: tried for tried in (*told_in(asked.docs.read_text(encoding="utf-8")), *found)}
        write(asked.docs, "fuzz", report([told[name] for name in TARGETS if name in told], f"{led}, {where}"))
    return 1 if broken else 0


_HEAD = "| reader | inputs | seconds | reached new code | broke |"
_ROW = re.compile(r"\| (\w+) \| ([\d,]+) \| (\d+) \| (-|\d+) \| (yes|no) \|")


def told_in(page: str) -> list[Tried]:
    """The rows of a table that `report` made, in a page."""
    rows = page.partition(_HEAD)[2].partition("\n\n")[0].splitlines()
    found = [match.groups() for row in rows if (match := _ROW.fullmatch(row)) is not None]
    return [
        Tried(
            name, int(count.replace(",", "")), int(seconds), None if new == "-" else int(new), broke == "yes"
        )
        for name, count, seconds, new, broke in found
    ]


def report(found: list[Tried], how: str) -> str:
    """A table in Markdown."""
    inputs, broken = sum(tried.inputs for tried in found), sum(tried.broke for tried in found)
    lines = [
        f"{inputs:,} inputs to {len(found)} readers of foreign bytes, {time.strftime('%Y-%m-%d')}; {how}. "
        f"{broken or 'None'} of them broke.",
        "",
        _HEAD,
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for name, count, seconds, new, broke in found:
        shown = "-" if new is None else new
        lines.append(f"| {name} | {count:,} | {seconds} | {shown} | {'yes' if broke else 'no'} |")
    return "\n".join(lines)


def _plain(name: str, asked: argparse.Namespace) -> Tried:
    draw, target = random.Random(asked.seed), TARGETS[name]
    seeds = [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]
    tried, end = 0, time.monotonic() + asked.seconds
    while time.monotonic() < end:
        data = _changed(draw, seeds)
        tried += 1
        try:
            target(data)
        except Exception as error:
            _keep(name, data)
            print(f"{name}: broken after {tried:,} inputs: {type(error).__name__}: {error}")
            return Tried(name, tried, asked.seconds, None, broke=True)
    print(f"{name}: {tried:,} inputs changed at random, none broke it")
    return Tried(name, tried, asked.seconds, None, broke=False)


def _changed(draw: random.Random, seeds: list[bytes]) -> bytes:
    data = bytearray(draw.choice(seeds))
    for _ in range(draw.randrange(1, 6)):
        at = draw.randrange(len(data) + 1)
        how = draw.randrange(4)
        if how == 0:
            data[at : at + draw.randrange(8)] = draw.randbytes(draw.randrange(8))
        elif how == 1:
            other = draw.choice(seeds)
            begin = draw.randrange(len(other) + 1)
            data[at:at] = other[begin : begin + draw.randrange(64)]
        elif how == 2:
            del data[at : at + draw.randrange(32)]
        else:
            data[at:at] = draw.choice(
                [b"\0", b"\xff", b"\xf0\x9f", b"-1", b"1e999", b"\r\n", b"{", b"[", b'"']
            )
    return bytes(data[:_MOST_BYTES])


def _guided(name: str, asked: argparse.Namespace) -> Tried:
    # Readers that write would wait for a disk at each input; what atheris's process leaves behind is under it.
    fast = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory() as found, tempfile.TemporaryDirectory(dir=fast) as scratch:
        run = subprocess.run(
            [
                *(sys.executable, "-c", _UNDER_ATHERIS, name, found, str(CORPUS / name)),
                *(f"-max_total_time={asked.seconds}", f"-max_len={_MOST_BYTES}", f"-seed={asked.seed}"),
                f"-artifact_prefix={found}/broken-",
            ],
            stderr=subprocess.STDOUT,
            stdout=subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
            env={**os.environ, "TMPDIR": scratch},
        )
        new = list(Path(found).iterdir())
        broken = [path for path in new if path.name.startswith("broken-")]
        done = re.search(r"^Done (\d+) runs", run.stdout, re.M)
        inputs = int(done[1]) if done is not None else 0
        if run.returncode:
            for path in broken:
                _keep(name, path.read_bytes())
            print(run.stdout[-6000:])
            return Tried(name, inputs, asked.seconds, None, broke=True)
        # What is left of them was slow, on this machine and at that moment.
        reached = [path for path in new if path not in broken]
        if asked.keep:
            _keep_reaching(name, reached)
    slow = f", {len(broken)} were slow" if broken else ""
    print(f"{name}: {inputs:,} inputs, {len(reached)} reached new code{slow}, none broke it")
    return Tried(name, inputs, asked.seconds, len(reached), broke=False)


def _keep_reaching(name: str, found: list[Path]) -> None:
    """What of `found` comes to a line of ours that nothing in the corpus comes to, nor what is kept already."""
    seen = set[tuple[str, int]]().union(
        *(_lines(name, path.read_bytes()) for path in (CORPUS / name).iterdir())
    )
    kept = 0
    for data in sorted((path.read_bytes() for path in found), key=len):
        if len(data) > _MOST_KEPT_BYTES or kept == _KEPT:
            break
        lines = _lines(name, data)
        if lines - seen:
            seen |= lines
            kept += 1
            _keep(name, data)


def _lines(name: str, data: bytes) -> set[tuple[str, int]]:
    """The lines of our rooms that an input comes to."""
    reached: set[tuple[str, int]] = set()

    def trace(frame: FrameType, event: str, argument: object) -> Callable[..., object] | None:
        if not frame.f_code.co_filename.startswith(_ROOMS):
            return None
        reached.add((frame.f_code.co_filename, frame.f_lineno))
        return trace

    sys.settrace(trace)
    try:
        TARGETS[name](data)
    finally:
        sys.settrace(None)
    return reached


def _keep(name: str, data: bytes) -> None:
    (CORPUS / name / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


if __name__ == "__main__":
    sys.exit(main())
