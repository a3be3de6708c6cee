"""A section of a Markdown page that a benchmark writes: what stands between its two markers."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def machine() -> str:
    """Where figures come from: processor, system, Python, and what else was going on."""
    name = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    where = f"{os.cpu_count()} cores of {name}, {platform.system()} {platform.release()}"
    return f"{where}, Python {platform.python_version()}, load average {os.getloadavg()[0]:.1f} before it"


def write(page: Path, name: str, text: str) -> None:
    """Puts `text` between `<!-- begin NAME -->` and `<!-- end NAME -->`.

    Raises:
        SystemExit: the page lacks the markers.
    """
    begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise SystemExit(f"{page}: no {begin.strip()} ... {end} to write between")
    page.write_text(f"{before}{begin}\n{text.strip()}\n\n{end}{after}", encoding="utf-8")
