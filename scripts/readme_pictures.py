#!/usr/bin/env python3
"""Makes every picture of the screen in README.md and docs/, from the simulator, in one go.

    scripts/readme_pictures.py            # into docs/images, five minutes

Runs are recorded without a screen: one that is put under more than it can take, one on eight GPUs, and that
of `benchmarks/bottleneck_line.py`. Then each picture is what `scripts/screenshot.py` sees in a terminal
of its size, once its screen is there. All of it is SIMULATED, and says so. A machine that is too busy for a
live run is told of, and the picture is not kept. The moving one is made by `scripts/readme_animation.py`.
Needs what `scripts/screenshot.py` needs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from screenshot import alone

ROOT = Path(__file__).resolve().parent.parent
TTFTOP = [sys.executable, "-m", "tui.cli"]
TARGETS = ["--slo", "ttft.p95<500ms, itl.p95<100ms"]
ONE = ["demo", "--headless", "--duration", "50s", "--name", "ramp", "--ramp", "2..12/40s", *TARGETS]
EIGHT = [
    *("demo", "--headless", "--duration", "45s", "--name", "eight", "--ramp", "2..30/40s", *TARGETS),
    *("--profile", "8xh100-llama3.1-70b-fp8-tp2-dp4"),
]
LIMIT = [
    *("demo", "--headless", "--ramp", "1..14/40s", "--duration", "50s", "--seed", "1"),
    *("--name", "limit-demo"),
]
"""The run of `benchmarks/bottleneck_line.py`."""
LIVE = ["demo", "--rate", "4", "--duration", "70s", "--name", "keys", *TARGETS]
KEYS = "10:up 10.5:up 20:up 20.5:up 30:up 30.5:up 40:up 40.5:up"

PICTURES: Mapping[str, tuple[str, float, str, Sequence[str]]] = {
    "live-80x24": ("80x24", 55, KEYS, LIVE),
    "live-120x40": ("120x40", 55, KEYS, LIVE),
    "replay-80x24": ("80x24", 5, "", ["replay", "ramp"]),
    "replay-120x40": ("120x40", 5, "", ["replay", "ramp"]),
    "latency-120x40": ("120x40", 6, "1:2", ["replay", "ramp"]),
    "curve-120x40": ("120x40", 7, "1:3", ["replay", "ramp"]),
    "gpus-120x40": ("120x40", 6, "1:4", ["replay", "eight"]),
    "server-120x40": ("120x40", 6, "1:5", ["replay", "ramp"]),
    "requests-120x40": ("120x40", 8, "1:6", ["replay", "ramp"]),
    "limit-line-120x40": ("120x40", 5, "", ["replay", "limit-demo"]),
    "home-120x40": ("120x40", 5, "", []),
}
"""Size, seconds from when its screen is there until it is taken, keys, and what is run."""


def _is_shown(run: Sequence[str], names: Sequence[str]) -> bool:
    """In one of the pictures: a replay of it, or the list of all."""
    session = run[run.index("--name") + 1]
    shown = [PICTURES[name][3] for name in names]
    return any(not command or command == ["replay", session] for command in shown)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PICTURES)} (all)")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "images")
    args = parser.parse_args()
    spoilt: list[str] = []
    with tempfile.TemporaryDirectory(prefix="ttftop-pictures-") as home:
        python_path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        environment = os.environ | {
            "HOME": home,
            "XDG_DATA_HOME": f"{home}/data",
            "XDG_CONFIG_HOME": f"{home}/config",
            "XDG_CACHE_HOME": f"{home}/cache",
            "PYTHONPATH": python_path,
        }
        for name in ("NO_COLOR", "COLORFGBG", "TTFTOP_API_KEY", "OPENAI_API_KEY"):
            environment.pop(name, None)

        def ttftop(command: Sequence[str]) -> None:
            run = subprocess.run(
                [*TTFTOP, *command], cwd=home, env=environment, capture_output=True, check=False
            )
            if run.returncode not in (0, 1):  # 1: a target is missed, as it should be
                sys.exit(f"readme_pictures: {' '.join(command)}: {run.stderr.decode()}")

        def picture(name: str) -> None:
            size, at_s, keys, command = PICTURES[name]
            taken, said = Path(home) / f"{name}.png", Path(home) / f"{name}.txt"
            shot = [
                sys.executable,
                str(ROOT / "scripts" / "screenshot.py"),
                "--size",
                size,
                "--at",
                str(at_s),
            ]
            shot += ["--once", "quit" if command else "leave", "--keys", keys, "-o", str(taken)]
            # The list of all has a simulated server of its own, and none that happens to run here.
            whole = [*TTFTOP, *command] if command else alone(TTFTOP, [*TTFTOP, "simulate"])
            shot += ["--text", str(said), "--", *whole]
            subprocess.run(shot, cwd=home, env=environment, check=True)
            if "client saturated" in said.read_text(encoding="utf-8").lower():
                spoilt.append(name)
                return
            shutil.copyfile(taken, args.output / f"{name}.png")
            print(name, flush=True)

        names = args.names or list(PICTURES)
        lived = [name for name in names if PICTURES[name][3] is LIVE]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(ttftop, [run for run in (ONE, EIGHT, LIMIT) if _is_shown(run, names)]))
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(picture, [name for name in names if name not in lived]))
        for name in lived:  # by themselves: nothing else is to be late for them
            picture(name)
    if spoilt:
        sys.exit(f"readme_pictures: too busy a machine, the client was the limit: {', '.join(spoilt)}")


if __name__ == "__main__":
    main()
