"""The screen on a made-up run, in whatever terminal this is started in: `python tests/tui/screens/fake_app.py`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from tests.tui import made_up_run  # noqa: E402
from tui.options.settings import Settings  # noqa: E402
from tui.screens.app import run_screen  # noqa: E402

EVIL = "A\x1b[31mR\x1b]0;PWN\x07\x9b2J\x00\x1bPq\x1b\\\x1b[2J\r\u202e\x85\x7f [/ [bold [@click=app.quit]x[/]\ud800"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gpus", type=int, default=1)
    parser.add_argument(
        "--from", dest="from_s", type=float, default=0.0, help="seconds of the run already over"
    )
    parser.add_argument("--replay", action="store_true")
    parser.add_argument("--evil", action="store_true")
    parser.add_argument("--saturated", action="store_true")
    parser.add_argument("--no-server", action="store_true")
    parser.add_argument("--charset")
    args = parser.parse_args()
    begin_s = time.monotonic() - args.from_s
    view = made_up_run.ramped(
        lambda: time.monotonic() - begin_s,
        gpus=args.gpus,
        running=not args.replay,
        ended_s=args.from_s if args.replay else None,
        server=not args.no_server,
        evil=EVIL if args.evil else "",
        saturated=args.saturated,
        note="send lag p99 81 ms, CPU 96 %" if args.saturated else "",
    )
    control = None if args.replay else made_up_run.FakeControl(view)
    if control is not None and args.evil:
        control.refuse = EVIL
    if secret := os.environ.get("TTFTOP_FAKE_CRASH"):

        def fail(at_ns: int, window_ns: int, slots: int, start_ns: int | None = None) -> None:
            key = secret  # noqa: F841 - a local variable, as a crash report must not show
            raise RuntimeError("made to fail")

        view.frame = fail  # type: ignore[method-assign,assignment]
    how = run_screen(
        view, control, title=EVIL if args.evil else "fake", settings=Settings(charset=args.charset)
    )
    print(f"left: {how}")


if __name__ == "__main__":
    main()
