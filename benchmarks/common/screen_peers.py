"""Other tools' screens, fetched to be measured beside ours: none is installed into the system."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEPT = Path.home() / ".cache" / "ttftop-benchmarks" / "screens"
GPUS = 8


def fetched(folder: Path) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Commands by name, as far as they can be had, and the environment that they need. `folder`: for the
    stand-in of NVML, which has 8 GPUs."""
    from benchmarks.nvml_poll import SOURCE, says

    commands = {}
    nvitop = KEPT / "nvitop" / "bin" / "nvitop"
    if nvitop.exists() or _nvitop():
        commands["nvitop"] = [str(nvitop), "--monitor", "full", "--interval", "1"]
    btop = KEPT / "btop" / "usr" / "bin" / "btop"
    if btop.exists() or _btop():
        commands["btop"] = [str(btop), "--utf-force"]
    library = folder / "libnvidia-ml.so.1"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-lpthread"], check=True)
    says(folder / "state", GPUS)
    return commands, {"LD_LIBRARY_PATH": str(folder), "TTFTOP_FAKE_NVML": str(folder / "state")}


def _nvitop() -> bool:
    place = KEPT / "nvitop"
    return _done([sys.executable, "-m", "venv", str(place)]) and _done(
        [str(place / "bin" / "pip"), "install", "--quiet", "nvitop"]
    )


def _btop() -> bool:
    place = KEPT / "btop"
    place.mkdir(parents=True, exist_ok=True)
    if not _done(["apt-get", "download", "btop"], place):
        return False
    (package, *_) = sorted(place.glob("btop_*.deb"))
    return _done(["dpkg", "-x", str(package), str(place)])


def _done(command: list[str], where: Path | None = None) -> bool:
    try:
        subprocess.run(command, cwd=where, check=True, stdout=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"not had: {error}", file=sys.stderr)
        return False
    return True
