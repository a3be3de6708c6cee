#!/usr/bin/env python3
"""Makes a picture of every view, at each size, in each state, to be looked at: by hand, not in CI.

    scripts/picture_matrix.py -o /tmp/matrix                     # all of them: a quarter of an hour
    scripts/picture_matrix.py -o /tmp/matrix --only 'eight-*'    # those whose names are like it, or them

Sessions are recorded without a screen, from the simulator: one GPU, eight, none, failed requests, a server
that dies, a plan. They stay in `DIR/home` for the next time. Each scene is one real pseudo-terminal: keys are
pressed, and when nothing is written any more (of a live run: after a while) its picture is taken.
`DIR/index.html` shows all of them. All of it is SIMULATED, and says so. Needs what `scripts/screenshot.py`
needs.
"""

from __future__ import annotations

import argparse
import fnmatch
import html
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from screenshot import DARK, KEYS, LIGHT, alone, ended, rendered, spawned

ROOT = Path(__file__).resolve().parent.parent
TTFTOP = [sys.executable, "-m", "tui.cli"]
SIZES = ("80x24", "120x40", "200x60")
TARGETS = ["--slo", "ttft.p95<500ms, itl.p95<100ms, tpot.mean<40ms"]
LONG = ["--headless", "--duration", "45s", *TARGETS]
RAMP = ["--ramp", "2..12/40s"]
PLAN = """name = "steps"
title = "Three rates"

[[stages]]
rate = [2, 6, 9]
duration = "12s"

[slo]
targets = ["ttft.p95 < 500ms", "ttft.p99 < 2s"]
"""
RECORDED: Mapping[str, Sequence[str]] = {
    "one": ["demo", *LONG, *RAMP],
    "base": ["demo", *LONG, *RAMP, "--seed", "7", "--output-tokens", "96"],
    "eight": ["demo", *LONG, "--ramp", "2..30/40s", "--profile", "8xh100-llama3.1-70b-fp8-tp2-dp4"],
    "none": ["demo", *LONG, *RAMP, "--telemetry", "nvml", "host"],
    "bare": ["demo", *LONG, "--concurrency", "8", "--telemetry", "none"],
    "plan": ["demo", "--headless", "--plan", "plan.toml"],
}
"""A session by its name, and what records it."""
LOST: Mapping[str, Sequence[str]] = {
    "errors": ["run", "{0}", *LONG, "--rate", "4", "--give-up", "off"],
    "targets": ["run", "{0}", "--target", "{1}", *LONG, "--rate", "6", "--give-up", "off"],
}
"""The same against simulators, the last of which dies in the midst of it."""
VIEWS = [(str(n), name) for n, name in enumerate(
    ("overview", "latency", "curve", "gpus", "server", "requests", "events"), start=1
)]  # fmt: skip
Steps = Sequence[tuple[str, str]]
"""Keys apart by blanks, as in `scripts/screenshot.py`, `+3` to wait so many seconds, `'word` to type it; and
the name of the picture that is taken then, if any."""


class Scene(NamedTuple):
    command: Sequence[str]
    steps: Steps
    sizes: Sequence[str] = SIZES
    light: bool = False
    live: bool = False


def replay(
    name: str,
    steps: Steps,
    sizes: Sequence[str] = SIZES,
    light: bool = False,
    options: Sequence[str] = (),
) -> Scene:
    theme = ["--theme", "light"] if light else []
    return Scene(["replay", name, *theme, *options], [("+1", ""), *steps], sizes, light)


MORE = [
    ("2 v", "latency-itl"),
    ("v v", "latency-e2e"),
    ("3 v", "curve-itl"),
    ("5", ""),
    ("6 enter", "waterfall"),
]
SCENES: Mapping[str, Scene] = {
    "one": replay("one", [
        *VIEWS, *MORE, ("1 ?", "help"), ("esc :", "palette"), ("esc", ""), ("m", "prompt"),
        ("esc i", "details"),
    ]),
    "one-past": replay("one", [
        ("1 home L left left left left", ""), *VIEWS, ("1 a right right a", "region"),
    ]),
    "one-empty": replay("one", [("1 home", ""), *VIEWS]),
    "one-light": replay("one", VIEWS, light=True),
    "base": replay("one", [
        ("3 b 'base enter +2", "curve"), ("v", "curve-itl"), ("v v v", "curve-pareto"), ("1", "overview"),
    ]),
    "eight": replay("eight", [*VIEWS, ("4 v", "gpus-memory"), ("v", "gpus-power"), ("enter", "gpus-opened")]),
    "eight-light": replay("eight", [VIEWS[0], VIEWS[3]], light=True),
    "none": replay("none", [VIEWS[0], VIEWS[3], VIEWS[4]]),
    "bare": replay("bare", [VIEWS[0], VIEWS[2], VIEWS[3], VIEWS[4]]),
    "errors": replay("errors", [
        *VIEWS[:3], VIEWS[4], ("6 f f f", "requests-failed"), ("enter", "waterfall-failed"), VIEWS[6],
    ]),
    "targets": replay("targets", [VIEWS[0], VIEWS[4], VIEWS[6]]),
    "plan": replay("plan", [VIEWS[0], VIEWS[2], VIEWS[1], ("1 home L left", "past")]),
    "line": replay("one", [("1", "overview"), ("3", "curve")], ["59x15", "40x8"]),
    "least": replay("one", [*VIEWS, ("1 ?", "help")], ["60x16"]),
    "ascii": replay("one", VIEWS, ["80x24", "120x40"], options=["--charset", "ascii", "--no-color"]),
    "safe": replay("one", VIEWS[:2], ["120x40"], options=["--theme", "safe"]),
    "live": Scene(["demo", "--ramp", "2..12/30s", "--name", "live", "--duration", "90s"], [
        ("+1", "start"), ("+6", "young"), ("3", "young-curve"), ("1 +22", ""), *VIEWS, ("?", "help"),
        ("esc :", "palette"), ("esc =", "prompt-rate"), ("esc W", "prompt-workload"),
        ("esc R", "prompt-ramp"), ("esc 1 left left left", "past"), ("end space +1", "held"),
        ("x +1", "stopped"), ("q", "leave"),
    ], live=True),
    "live-light": Scene(
        ["demo", "--rate", "3", "--theme", "light", "--duration", "60s"], [("+12", ""), *VIEWS], ["120x40"],
        light=True, live=True,
    ),
    "live-wait": Scene(
        ["demo", "--rate", "0.05", "--telemetry", "nvml", "host", "--duration", "30s"], [("+2", ""), *VIEWS],
        live=True,
    ),
    "live-plan": Scene(
        ["demo", "--plan", "plan.toml", "--set", "run.output_tokens=512", "--name", "live"],
        [("+11", "drain"), ("+8 space", "held")], live=True,
    ),
    "live-lost": Scene(["run", "{0}", "--rate", "4", "--give-up", "off"], [
        ("+6", ""), ("dies +8", "overview"), ("5", "server"), ("6 f f f", "requests-failed"), ("7", "events"),
    ], ["80x24", "120x40"], live=True),
    "home": Scene(["home"], [
        ("+4", "list"), ("down down down", "second"), ("?", "help"), ("esc u", "form-url"), ("esc", ""),
        ("/ 'ei", "found"), ("esc home enter +2", "form"),
    ]),
    "home-light": Scene(["home", "--theme", "light"], [("+4", "list")], ["120x40"], light=True),
}  # fmt: skip


class Simulators:
    """Simulated servers, each on a port of its own."""

    def __init__(self, count: int, environment: Mapping[str, str]) -> None:
        command = [*TTFTOP, "simulate", "--port", "0"]
        self.running = [
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
            for _ in range(count)
        ]
        self.urls = [_url(process) for process in self.running]

    def die(self) -> None:
        """The last one, at once."""
        self.running[-1].kill()
        self.running[-1].wait()

    def end(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()


def _url(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return next(word for word in process.stdout.readline().split() if word.startswith("http"))


def taken(
    name: str, scene: Scene, size: str, environment: Mapping[str, str], folder: Path, font_px: int
) -> list[str]:
    """The names of the pictures that a scene has at one size."""
    import pyte

    columns, rows = (int(part) for part in size.split("x"))
    simulators = Simulators(sum("{" in part for part in scene.command), environment)
    command = [*TTFTOP, *(part.format(*simulators.urls) for part in scene.command)]
    if scene.command[0] == "home":
        command = alone([*TTFTOP, *scene.command[1:]], [*TTFTOP, "simulate"])
    screen = pyte.Screen(columns, rows)
    stream = pyte.ByteStream(screen)
    pid, fd = spawned(command, (columns, rows), "xterm-256color", environment, folder / "home")

    def wait(quiet_s: float, most_s: float) -> None:
        end, last = time.monotonic() + most_s, time.monotonic()
        while (now := time.monotonic()) < end and now - last < quiet_s:
            if select.select([fd], [], [], 0.05)[0]:
                stream.feed(os.read(fd, 65536))
                last = time.monotonic()

    out = []
    try:
        begun = time.monotonic()
        while time.monotonic() < begun + 60 and not any(
            word in line
            for line in screen.display
            for word in ("LIVE", "REPLAY", "leave", "too small", " rps")
        ):
            wait(0.5, 0.5)
        for keys, shot in scene.steps:
            for key in keys.split():
                if key[0] == "+" and len(key) > 1:
                    wait(99, float(key[1:]))
                elif key == "dies":
                    simulators.die()
                else:
                    os.write(fd, (KEYS.get(key) or key.lstrip("'") or key).encode())
                    wait(0.25, 0.6)
            if shot:
                wait(*((99, 1.2) if scene.live else (0.6, 4.0)))
                wait(0.12, 2.0)  # no half of a frame
                out.append(f"{name}-{shot}-{size}")
                path = folder / f"{out[-1]}.png"
                rendered(screen, str(path), font_px, LIGHT if scene.light else DARK)
                path.with_suffix(".txt").write_text("\n".join(screen.display) + "\n", encoding="utf-8")
    except OSError:
        print(f"{name} {size}: ended early:", *screen.display, sep="\n  ", flush=True)
    finally:
        ended(pid, fd)
        simulators.end()
    print(f"{name} {size}: {len(out)}", flush=True)
    return out


def record(name: str, environment: Mapping[str, str], home: Path) -> None:
    command = [*(RECORDED.get(name) or LOST[name]), "--name", name]
    simulators = Simulators(sum("{" in part for part in command), environment)
    try:
        run = subprocess.Popen(
            [*TTFTOP, *(part.format(*simulators.urls) for part in command)],
            cwd=home,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        if name in LOST:
            time.sleep(25)
            simulators.die()
        said = run.communicate()[1]
    finally:
        simulators.end()
    if run.returncode not in (0, 1):  # 1: a target is missed, as it should be
        sys.exit(f"picture_matrix: {' '.join(command)}: {said.decode()}")
    (home / f"{name}.recorded").touch()


def page(folder: Path) -> None:
    """All pictures that are there, the scenes one under the other."""
    parts = ["<!doctype html><meta charset=utf-8><title>ttftop: every view</title>"]
    parts.append("<style>body{font:13px sans-serif}img{width:30%;margin:2px;vertical-align:top}</style>")
    for path in sorted(folder.glob("*.png")):
        name = html.escape(path.name)
        parts.append(f'<a href="{name}" title="{name}"><img loading=lazy src="{name}" alt="{name}"></a>')
    (folder / "index.html").write_text("\n".join(parts) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--only", nargs="*", default=["*"], metavar="SCENE", help=f"of {', '.join(SCENES)}")
    parser.add_argument("--sizes", nargs="*", default=None, metavar="SIZE")
    parser.add_argument("--font-px", type=int, default=15)
    args = parser.parse_args()
    folder: Path = args.output.resolve()
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    (home / "plan.toml").write_text(PLAN, encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLORFGBG")}
    for key in [key for key in environment if key.endswith("_API_KEY")]:
        del environment[key]
    environment |= {"HOME": str(home), "XDG_CONFIG_HOME": f"{home}/config", "XDG_CACHE_HOME": f"{home}/cache"}
    live = environment | {"XDG_DATA_HOME": f"{home}/live", "PYTHONPATH": str(ROOT)}
    stored = live | {"XDG_DATA_HOME": f"{home}/data"}
    missing = [name for name in (*RECORDED, *LOST) if not (home / f"{name}.recorded").exists()]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda name: record(name, stored, home), missing))
    for name, scene in SCENES.items():
        if any(fnmatch.fnmatch(name, pattern) for pattern in args.only):
            for size in scene.sizes:
                if not args.sizes or size in args.sizes:
                    taken(name, scene, size, live if scene.live else stored, folder, args.font_px)
    page(folder)


if __name__ == "__main__":
    main()
