#!/usr/bin/env python3
"""Draws a report's page in a headless Chromium, to PNGs of given widths.

    ttftop report S -o report.html
    scripts/report_screenshot.py report.html --width 1280 --width 400 -o docs/images/report-{width}.png

The pictures of the README are of a plan of seven stages on a simulated node of eight GPUs:

    ttftop demo --profile 8xh100-llama3.1-70b-fp8-tp8 --plan scripts/report_plan.toml --headless --name r
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LEAST_WIDTH = 500
"""A headless Chromium makes no window narrower; below it the page is drawn inside a frame of that width."""


def drawn(page: Path, width: int, height: int, to: Path) -> None:
    """Raises:
    SystemExit: there is no Chromium here, or it drew nothing.
    """
    browser = next((found for name in NAMES if (found := shutil.which(name))), None)
    if browser is None:
        raise SystemExit(f"report_screenshot: none of {', '.join(NAMES)} is here")
    with tempfile.TemporaryDirectory() as place:
        shown = page.resolve()
        if width < LEAST_WIDTH:
            shown = Path(place) / "narrow.html"
            shown.write_text(
                f'<body style="margin:0"><iframe src="{page.resolve().as_uri()}" '
                f'style="border:0;width:{width}px;height:{height}px"></iframe>'
            )
        picture = Path(place) / "page.png"
        command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += [f"--user-data-dir={place}/profile", f"--window-size={max(width, LEAST_WIDTH)},{height}"]
        command += ["--force-device-scale-factor=1", f"--screenshot={picture}", shown.as_uri()]
        subprocess.run(command, capture_output=True, timeout=180, check=False)
        if not picture.is_file():
            raise SystemExit(f"report_screenshot: {browser} drew nothing of {page}")
        _cut(picture, width, to)


def _cut(picture: Path, width: int, to: Path) -> None:
    """To the width that was asked for, and without the empty end of the page."""
    from PIL import Image, ImageChops

    with Image.open(picture) as whole:
        page = whole.convert("RGB").crop((0, 0, width, whole.height))
    empty = Image.new("RGB", page.size, page.getpixel((width - 1, page.height - 1)))
    used = ImageChops.difference(page, empty).getbbox()
    bottom = page.height if used is None else min(used[3] + 24, page.height)
    page.crop((0, 0, width, bottom)).quantize(128).save(to, optimize=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("page", type=Path, help="an .html of `ttftop report`")
    parser.add_argument(
        "--width", type=int, action="append", help="of the window, pixels; again for each one"
    )
    parser.add_argument("--height", type=int, default=2400)
    parser.add_argument("-o", "--output", required=True, help="the PNG; {width} stands for each width")
    options = parser.parse_args()
    for width in options.width or [1280]:
        drawn(options.page, width, options.height, Path(options.output.format(width=width)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
