#!/usr/bin/env python3
"""Runs a command in a real pseudo-terminal and renders what it shows to a PNG.

    scripts/screenshot.py --size 80x24 --at 12 --keys "5:K 8:m 8.2:enter" -o out.png -- ttftop demo

Keys are `SECONDS:KEY`, apart by blanks: a character, or a name of `KEYS` below. Needs pyte, Pillow and the
font DejaVu Sans Mono. `--text FILE` writes the plain text of the screen as well; `--bytes` prints how many
bytes the command wrote in each second.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import pty
import select
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path

KEYS = {
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "shift+right": "\x1b[1;2C",
    "shift+left": "\x1b[1;2D",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "enter": "\r",
    "esc": "\x1b",
    "space": " ",
    "backspace": "\x7f",
    "tab": "\t",
    "ctrl+c": "\x03",
}
WAIT_S = 120.0
FONT_FOLDERS = ("/usr/share/fonts/truetype/dejavu", "/usr/share/fonts/TTF", "/usr/share/fonts/dejavu")
DARK, LIGHT = ((212, 212, 216), (18, 20, 24)), ((30, 30, 34), (252, 252, 250))
"""Text and background of the terminal."""
# The sixteen named colours, as most dark terminals draw them.
NAMED = {
    "black": (40, 42, 46),
    "red": (204, 82, 82),
    "green": (92, 168, 92),
    "brown": (200, 160, 70),
    "blue": (82, 128, 206),
    "magenta": (168, 108, 178),
    "cyan": (74, 164, 168),
    "white": (197, 200, 198),
    "brightblack": (118, 122, 128),
    "brightred": (240, 110, 110),
    "brightgreen": (130, 208, 130),
    "brightbrown": (240, 198, 110),
    "brightblue": (120, 170, 245),
    "brightmagenta": (208, 146, 218),
    "brightcyan": (112, 206, 210),
    "brightwhite": (245, 245, 245),
}


_ARMS = dict(
    zip(
        "─│╭╮╰╯├┤┴┬└╷",
        ["lr", "ud", "rd", "ld", "ru", "lu", "udr", "udl", "lru", "lrd", "ru", "d"],
        strict=True,
    )
)
"""Box drawing, as the sides of its cell that it reaches."""


def font_file(name: str) -> str:
    for folder in FONT_FOLDERS:
        path = Path(folder) / name
        if path.exists():
            return str(path)
    found = None
    if shutil.which("fc-match"):
        style = "Bold" if "Bold" in name else "Book"
        command = ["fc-match", "-f", "%{file}", f"DejaVu Sans Mono:style={style}"]
        found = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    if not found or "DejaVuSansMono" not in found:
        sys.exit(f"screenshot: font {name} is not installed (Debian: apt-get install fonts-dejavu-core)")
    return found


def parsed_keys(text: str) -> list[tuple[float, bytes]]:
    out = []
    for part in text.split():
        at, _, key = part.partition(":")
        if not key:
            sys.exit(f"screenshot: --keys: got {part!r}, need SECONDS:KEY")
        out.append((float(at), KEYS.get(key, key).encode()))
    return sorted(out)


def spawned(
    command: list[str],
    size: tuple[int, int],
    term: str,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> tuple[int, int]:
    """A command in a pseudo-terminal of its own: its process, and the terminal's other end."""
    columns, rows = size
    pid, fd = pty.fork()
    if pid == 0:
        own = {**(os.environ if environment is None else environment), "TERM": term}
        own.pop("COLORTERM", None)
        try:
            os.chdir(folder or Path.cwd())
            os.execvpe(command[0], command, own)
        except OSError as error:
            print(f"screenshot: {command[0]}: {error.strerror}", file=sys.stderr)
            os._exit(127)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    return pid, fd


def alone(command: list[str], beside: list[str]) -> list[str]:
    """`command`, and `beside` in the background, in a network of their own where that can be made (Linux,
    with namespaces for users): no server that happens to listen on this machine is in the picture."""
    both = f"{shlex.join(beside)} >/dev/null & sleep 2; {shlex.join(command)}; kill $!"
    own = ["unshare", "--user", "--map-root-user", "--net", "sh", "-c"]
    up = "ip link set lo up"
    if subprocess.run([*own, up], capture_output=True, check=False).returncode:
        return ["sh", "-c", both]
    return [*own, f"{up}; {both}"]


def ended(pid: int, fd: int) -> None:
    """Ends it, by force if it must be, and reads what it says meanwhile: else it might never end."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    ended_by = time.monotonic() + 5
    while time.monotonic() < ended_by and os.waitpid(pid, os.WNOHANG) == (0, 0):
        with contextlib.suppress(OSError):
            if select.select([fd], [], [], 0.05)[0]:
                os.read(fd, 65536)
    else:
        if time.monotonic() >= ended_by:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    os.close(fd)


def captured(
    command: list[str],
    size: tuple[int, int],
    at_s: float,
    keys: list[tuple[float, bytes]],
    show_bytes: bool,
    term: str,
    once: str = "",
    every: tuple[float, Callable[[object], None]] | None = None,
) -> object:
    """The pyte screen as it stood after `at_s` seconds; with `once`, after that text was first on it. To
    `every` it is given each so many seconds meanwhile."""
    import pyte

    columns, rows = size
    screen = pyte.Screen(columns, rows)
    # Private sequences pyte does not know it would print; those a terminal answers go unanswered here.
    stream = pyte.ByteStream(screen)
    pid, fd = spawned(command, size, term)
    start = time.monotonic()
    given_up, next_s = start + WAIT_S, 0.0
    per_second: dict[int, int] = {}
    try:
        while (elapsed := time.monotonic() - start) < at_s:
            if once:
                if time.monotonic() > given_up:
                    sys.exit(f"screenshot: {once!r} was not on the screen within {WAIT_S:g} s")
                elapsed = 0.0
                if any(once in line for line in screen.display):
                    once = ""
                start = time.monotonic()
            if every is not None and not once and elapsed >= next_s:
                next_s += every[0]
                every[1](screen)
            while keys and not once and keys[0][0] <= elapsed:
                os.write(fd, keys.pop(0)[1])
            if select.select([fd], [], [], 0.02)[0]:
                try:
                    data = os.read(fd, 65536)
                except OSError:
                    break
                if not data:
                    break
                per_second[int(elapsed)] = per_second.get(int(elapsed), 0) + len(data)
                stream.feed(data)
    finally:
        ended(pid, fd)
    if once:
        said = "\n".join(screen.display)
        sys.exit(f"screenshot: the command ended before {once!r} was on the screen:\n{said}")
    if show_bytes:
        print("bytes per second:", " ".join(str(per_second.get(i, 0)) for i in range(int(at_s))))
    return screen


def colour(name: str, default: tuple[int, int, int]) -> tuple[int, int, int]:
    if name == "default":
        return default
    if name in NAMED:
        return NAMED[name]
    return int(name[0:2], 16), int(name[2:4], 16), int(name[4:6], 16)


def rendered(
    screen: object,
    path: str,
    font_px: int,
    own: tuple[tuple[int, int, int], tuple[int, int, int]] = DARK,
) -> None:
    """Cell for cell: colours, bold, reverse, underline. Braille and blocks are drawn, as terminals do."""
    from PIL import Image, ImageDraw, ImageFont

    foreground, background = own
    plain = ImageFont.truetype(font_file("DejaVuSansMono.ttf"), font_px)
    bold = ImageFont.truetype(font_file("DejaVuSansMono-Bold.ttf"), font_px)
    wide = round(plain.getlength("M"))
    ascent, descent = plain.getmetrics()
    high = ascent + descent
    columns, rows = screen.columns, screen.lines  # type: ignore[attr-defined]
    margin = wide
    image = Image.new("RGB", (columns * wide + 2 * margin, rows * high + 2 * margin), background)
    draw = ImageDraw.Draw(image)
    for y in range(rows):
        for x in range(columns):
            cell = screen.buffer[y][x]  # type: ignore[attr-defined]
            fore, back = colour(cell.fg, foreground), colour(cell.bg, background)
            if cell.reverse:
                fore, back = back, fore
            left, top = margin + x * wide, margin + y * high
            if back != background:
                draw.rectangle((left, top, left + wide - 1, top + high - 1), fill=back)
            if not cell.data.strip():
                continue
            if not _block(draw, cell.data, left, top, wide, high, fore):
                draw.text((left, top), cell.data, font=bold if cell.bold else plain, fill=fore)
            if cell.underscore:
                draw.line((left, top + high - 2, left + wide - 1, top + high - 2), fill=fore)
    image.save(path)


def _block(
    draw: object, text: str, left: int, top: int, wide: int, high: int, fore: tuple[int, int, int]
) -> bool:
    """Glyphs that must touch their neighbours, drawn as shapes; False for every other one."""
    code = ord(text[0])
    rectangle = draw.rectangle  # type: ignore[attr-defined]
    if 0x2581 <= code <= 0x2588:
        height = round(high * (code - 0x2580) / 8)
        rectangle((left, top + high - height, left + wide - 1, top + high - 1), fill=fore)
        return True
    if text[0] in _ARMS:
        middle_x, middle_y = left + wide // 2, top + high // 2
        ends = {"l": (left, middle_y), "r": (left + wide - 1, middle_y)}
        ends |= {"u": (middle_x, top), "d": (middle_x, top + high - 1)}
        for arm in _ARMS[text[0]]:
            (x, y), (a, b) = sorted((ends[arm], (middle_x, middle_y)))
            rectangle((x, min(y, b), a, max(y, b)), fill=fore)
        return True
    if not 0x2800 <= code <= 0x28FF:
        return False
    size = max(wide // 4, 2)
    for bit, (column, row) in enumerate(((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))):
        if (code - 0x2800) >> bit & 1:
            x = left + round((column + 0.5) * wide / 2 - size / 2)
            y = top + round((row + 0.5) * high / 4 - size / 2)
            rectangle((x, y, x + size - 1, y + size - 1), fill=fore)
    return True


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", default="80x24", help="columns x rows")
    parser.add_argument("--at", type=float, default=5.0, help="seconds after the start")
    parser.add_argument("--once", default="", metavar="TEXT", help="seconds count from when this was shown")
    parser.add_argument("--keys", default="", help="SECONDS:KEY ...")
    parser.add_argument("--term", default="xterm-256color", help="TERM the command sees")
    parser.add_argument("--light", action="store_true", help="a terminal with a light background")
    parser.add_argument("--font-px", type=int, default=18)
    parser.add_argument("--text", help="also write the screen's text here")
    parser.add_argument("--bytes", action="store_true", help="print the bytes written in each second")
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    columns, _, rows = args.size.partition("x")
    if not command or not columns.isdigit() or not rows.isdigit():
        parser.error("need --size COLUMNSxROWS and a command after --")
    size = (int(columns), int(rows))
    screen = captured(command, size, args.at, parsed_keys(args.keys), args.bytes, args.term, args.once)
    rendered(screen, args.output, args.font_px, LIGHT if args.light else DARK)
    if args.text:
        Path(args.text).write_text("\n".join(screen.display) + "\n", encoding="utf-8")  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
