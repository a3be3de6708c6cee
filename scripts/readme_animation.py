#!/usr/bin/env python3
"""Makes the moving picture of README.md from a live run: half a minute of it, in a real pseudo-terminal.

    scripts/readme_animation.py           # into docs/images/live-120x40.gif, a minute

A demo is put under a load that grows, keys raise it further until a target is missed, and two views say why.
Two pictures a second are kept, and one is shown for as long as nothing changes. All of it is SIMULATED, and
says so.
Needs what `scripts/screenshot.py` needs.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from PIL import Image
from screenshot import captured, parsed_keys, rendered

ROOT = Path(__file__).resolve().parent.parent
SIZE = (120, 40)
SECONDS, EVERY_S = 34.0, 0.5
RUN = ["demo", "--ramp", "2..9/12s", "--slo", "ttft.p95<500ms, itl.p95<100ms", "--name", "animation"]
KEYS = "13:up 13.5:up 14:up 16:up 16.5:up 24:5 28:3 32:1"
"""The rate by keys, until the cache is full; why TTFT rose; the curve; and back."""
COLOURS = 48
LAST_S = 3.0
MOST_BYTES = 2_000_000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--font-px", type=int, default=15)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "images" / "live-120x40.gif")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ttftop-animation-") as home:
        places = {"HOME": home, "XDG_DATA_HOME": f"{home}/data", "XDG_CONFIG_HOME": f"{home}/config"}
        os.environ.update(places)
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        for name in ("NO_COLOR", "COLORFGBG", "TTFTOP_API_KEY", "OPENAI_API_KEY"):
            os.environ.pop(name, None)
        frames = shown(home, args.font_px)
    spoilt = [text for _, text in frames if "client saturated" in text.lower()]
    if spoilt:
        sys.exit("readme_animation: this machine was too busy: the client was the limit")
    images, lengths = joined([image for image, _ in frames])
    images[0].save(
        args.output,
        save_all=True,
        append_images=images[1:],
        duration=lengths,
        loop=0,
        optimize=True,
        disposal=1,
    )
    size = args.output.stat().st_size
    print(f"{args.output}: {len(images)} pictures, {sum(lengths) / 1000:.0f} s, {size:,} bytes")
    if size > MOST_BYTES:
        sys.exit(f"readme_animation: more than {MOST_BYTES:,} bytes")


def shown(home: str, font_px: int) -> list[tuple[Image.Image, str]]:
    """What stood on the screen every `EVERY_S`, as a picture and as text."""
    kept: list[SimpleNamespace] = []
    columns, lines = SIZE

    def keep(screen: Any) -> None:
        """Cells only: to draw them takes longer than the run lets."""
        cells = [[screen.buffer[y][x] for x in range(columns)] for y in range(lines)]
        kept.append(SimpleNamespace(columns=columns, lines=lines, buffer=cells, display=list(screen.display)))

    command = [sys.executable, "-m", "tui.cli", *RUN]
    captured(command, SIZE, SECONDS, parsed_keys(KEYS), False, "xterm-256color", "7 events", (EVERY_S, keep))
    found = []
    place = str(Path(home) / "frame.png")
    for screen in kept:
        rendered(screen, place, font_px)
        with Image.open(place) as image:
            found.append((image.convert("RGB"), "\n".join(screen.display)))
    return found


def joined(images: list[Image.Image]) -> tuple[list[Image.Image], list[int]]:
    """On one palette, equal ones as one; how long each stands, in ms."""
    palette = images[-1].quantize(COLOURS)
    for image in images:  # the one with the most colours
        if len(image.getcolors(1 << 24) or []) > len(palette.getcolors() or []):
            palette = image.quantize(COLOURS)
    kept: list[Image.Image] = []
    lengths: list[int] = []
    for image in images:
        plain = image.quantize(palette=palette, dither=Image.Dither.NONE)
        if kept and plain.tobytes() == kept[-1].tobytes():
            lengths[-1] += int(1000 * EVERY_S)
        else:
            kept.append(plain)
            lengths.append(int(1000 * EVERY_S))
    lengths[-1] += int(1000 * LAST_S)
    return kept, lengths


if __name__ == "__main__":
    main()
