"""LLM servers that listen on this machine: which ports may be asked, one short request to each, who answered.

Only loopback is asked, without any key. A port is asked where LLM servers listen unless told otherwise, or
where a process listens that was started as one, or as a web server: others (a database, a training job's
rendezvous, which may end at a word that it does not know) are left in peace.
"""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from telemetry.parallel import ThreadPerCall
from telemetry.server_processes import PROC, command_lines, listeners, server_pids
from telemetry.source import plain
from telemetry.started_as import is_web_server, started_as

ASK_S = 0.3
"""The most that one server may take to answer, from connecting on."""
MOST_BYTES = 256 << 10
MOST_PORTS = 64
MOST_MODELS = 200
OLLAMA_PORT = 11434
USUAL_PORTS = (
    *range(8000, 8010),  # vLLM, and what copies its command line
    *range(8080, 8090),  # llama.cpp, TGI in its container
    *range(30000, 30010),  # SGLang
    *(OLLAMA_PORT, 3000, 1234, 23333, 2242),  # Ollama, TGI, LM Studio, LMDeploy, Aphrodite
)
"""Where they listen unless told otherwise, and where a second one is put beside the first."""
USUAL_PORTS_SAID = "8000-8009 8080-8089 30000-30009 11434 3000 1234 23333 2242"
LEAST_PORT = 1024
"""Below it the machine's own services listen: none of them is asked."""
EPHEMERAL = range(32768, 61000)
"""Ports that the kernel gives away: there, the command line must name the port.

Source: ip(7), `ip_local_port_range`.
"""
_OWNERS = {
    "vllm": "vLLM",
    "sglang": "SGLang",
    "llamacpp": "llama.cpp",
    "library": "Ollama",
    "lmdeploy": "LMDeploy",
    "tensorrt_llm": "TensorRT-LLM",
    "ttftop-simulator": "simulator",
}
"""`owned_by` in a list of models, to the name of the server."""


class Candidate(NamedTuple):
    """A port that may be asked."""

    host: str
    """`127.0.0.1` or `::1`."""
    port: int
    started_as: str = ""
    """The server that its process was started as; empty where that is not known."""


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class LocalServer(NamedTuple):
    """An LLM server of this machine. All text is safe to print."""

    url: str
    name: str
    """`vLLM`, `SGLang`, ..., or `OpenAI API` where it does not say."""
    models: tuple[str, ...] = ()
    wants_key: bool = False
    simulated: bool = False
    gpus: tuple[str, ...] = ()
    """GPUs on which it, or a process that it has started, computes; empty where that is not known."""

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


class ServerWatch:
    """The servers of this machine from look to look: only a port that began to listen since is asked, and
    again one whose process was started as a server and that has not answered as one yet: it may load."""

    def __init__(self, proc: Path = PROC) -> None:
        self._proc = proc
        self._asked: set[Candidate] = set()
        self._found: list[LocalServer] = []

    def look(self) -> list[LocalServer]:
        """Those that answer now, by port; each candidate is asked."""
        self._asked, self._found = set(), []
        return self.look_again()

    def look_again(self) -> list[LocalServer]:
        """Those of the last look that still listen, and those that are new. Blocks for `ASK_S`."""
        now = candidates(self._proc)
        ports = {one.port for one in now}
        kept = [server for server in self._found if server.port in ports and self._still(server, now)]
        answered = {server.port for server in kept}
        loading = {one for one in now if one.started_as and one.port not in answered}
        fresh = ask_all([one for one in now if one not in self._asked or one in loading])
        found = {server.port: server for server in (*kept, *fresh)}
        self._asked, self._found = set(now), [found[port] for port in sorted(found)]
        return list(self._found)

    def _still(self, server: LocalServer, now: Sequence[Candidate]) -> bool:
        """Behind its port is the process that was asked, as far as that can be told."""
        return any(one.port == server.port and one in self._asked for one in now)


def candidates(proc: Path = PROC) -> list[Candidate]:
    """The ports to ask, at most `MOST_PORTS`.

    Without /proc all usual ones: where nobody listens, the kernel says so at once.
    """
    if not (proc / "net/tcp").exists():
        return [Candidate("127.0.0.1", port) for port in USUAL_PORTS]
    started = command_lines(proc)
    found: dict[int, Candidate] = {}
    for one in listeners(proc):
        host = _loopback(one.address)
        if host is None or (one.port in found and host == "::1"):
            continue
        words = started.get(one.inode, [])
        name = started_as(words)
        named = any(re.search(rf"(?<!\d){one.port}(?!\d)", word) for word in words)
        is_web = bool(name) or is_web_server(words)
        if one.port < LEAST_PORT:
            continue
        if one.port in USUAL_PORTS or (is_web and (one.port not in EPHEMERAL or named)):
            found[one.port] = Candidate(host, one.port, name)
    # Where there are too many, those that are known to be servers first.
    kept = sorted(found.values(), key=lambda one: (not one.started_as, one.port not in USUAL_PORTS, one.port))
    return sorted(kept[:MOST_PORTS], key=lambda one: one.port)


def ask_all(asked: Sequence[Candidate], ask_s: float = ASK_S) -> list[LocalServer]:
    """Those among `asked` that are LLM servers; each is asked once."""
    if not asked:
        return []
    calls = ThreadPerCall([partial(_ask, one, ask_s) for one in asked], "local servers")
    answers = calls.ask(2 * ask_s).answers
    calls.stop()
    found = [recognised(one, answers[place]) for place, one in enumerate(asked) if place in answers]
    return [server for server in found if server is not None]


def recognised(asked: Candidate, answer: Answer | None) -> LocalServer | None:
    """The server behind an answer; None where it is no LLM server, or nobody answered."""
    if answer is None:
        return None
    host = f"[{asked.host}]" if ":" in asked.host else asked.host
    url = f"http://{host}:{asked.port}"
    simulated = "x-ttftop-simulated" in answer.headers
    if answer.status in (401, 403):
        return LocalServer(url, asked.started_as, (), True, simulated) if asked.started_as else None
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    if answer.status != 200 or not isinstance(said, dict):
        return None
    rows, key = (said.get("data"), "id") if "data" in said else (said.get("models"), "name")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return None
    names = [row.get(key) for row in rows[:MOST_MODELS]]
    models = tuple(plain(name, 200) for name in names if isinstance(name, str) and name)
    if rows and not models:
        return None
    return LocalServer(url, _name(asked, answer, key, rows), models, False, simulated)


def gpus_by_pid(patience_s: float = 5.0) -> dict[int, list[str]]:
    """Which GPUs each process computes on, as NVML tells it; empty where there is none. May block so long."""
    from telemetry.nvml.source import NvmlSource
    from telemetry.records import GpuDevices, GpuSamples

    source = NvmlSource(start_patience_s=patience_s)
    names: dict[str, str] = {}
    found: dict[int, list[str]] = {}
    try:
        for record in source.open(time.monotonic_ns):
            if isinstance(record, GpuDevices):
                names = {one.gpu: f"GPU {one.index}" for one in record.devices}
            elif isinstance(record, GpuSamples):
                for gpu in record.gpus:
                    for process in gpu.processes or ():
                        found.setdefault(process.pid, []).append(names.get(gpu.gpu, ""))
    finally:
        source.close()
    return found


def with_gpus(
    servers: Sequence[LocalServer], by_pid: Mapping[int, Sequence[str]], proc: Path = PROC
) -> list[LocalServer]:
    """`servers` with the GPUs that their processes compute on."""
    if not by_pid:
        return list(servers)
    named = []
    for server in servers:
        pids = server_pids(server.port, proc) or frozenset()
        on = dict.fromkeys(gpu for pid in sorted(pids) for gpu in by_pid.get(pid, ()) if gpu)
        named.append(server._replace(gpus=tuple(on)))
    return named


def _name(asked: Candidate, answer: Answer, key: str, rows: Sequence[Mapping[str, Any]]) -> str:
    owners = [row["owned_by"] for row in rows if isinstance(row.get("owned_by"), str)]
    if owners and owners[0] in _OWNERS:
        return _OWNERS[owners[0]]
    if asked.started_as:
        return asked.started_as
    if key == "name" or (not rows and asked.port == OLLAMA_PORT):
        return "Ollama"
    if answer.headers.get("server", "").lower().startswith("llama.cpp"):
        return "llama.cpp"
    # TGI calls the model its own owner.
    if owners and owners[0] == rows[0].get("id"):
        return "TGI"
    return "OpenAI API"


def _loopback(address: str) -> str | None:
    """By which address of this machine alone a listener can be reached; None: by none."""
    if set(address) == {"0"}:
        return "127.0.0.1"  # of IPv6 too: it takes IPv4 as well unless it was told not to
    if len(address) == 8:
        return "127.0.0.1" if address.endswith("7F") else None
    if address == "00000000000000000000000001000000":
        return "::1"
    return "127.0.0.1" if address.startswith("0000000000000000FFFF0000") and address.endswith("7F") else None


def _ask(asked: Candidate, ask_s: float) -> Answer | None:
    path = "/api/tags" if asked.port == OLLAMA_PORT else "/v1/models"
    host = f"[{asked.host}]" if ":" in asked.host else asked.host
    request = (
        f"GET {path} HTTP/1.0\r\nHost: {host}:{asked.port}\r\n"
        "User-Agent: ttftop\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
    )
    until_s = time.monotonic() + ask_s
    got = b""
    try:
        with socket.create_connection((asked.host, asked.port), ask_s) as connection:
            connection.sendall(request.encode())
            while (left_s := until_s - time.monotonic()) > 0 and len(got) < MOST_BYTES:
                connection.settimeout(left_s)
                piece = connection.recv(65536)
                if not piece:
                    break
                got += piece
                if (answer := _parsed(got)) is not None and _is_whole(answer):
                    break
    except OSError:
        pass
    return _parsed(got)


def _parsed(got: bytes) -> Answer | None:
    """None where it is no HTTP, or its head is not over."""
    head, end, body = got.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    match = re.fullmatch(r"HTTP/1\.[01] (\d{3})(?: .*)?", lines[0])
    if not end or match is None:
        return None
    pairs = (line.partition(":") for line in lines[1:])
    return Answer(int(match[1]), {name.strip().lower(): value.strip() for name, _, value in pairs}, body)


def _is_whole(answer: Answer) -> bool:
    length = answer.headers.get("content-length", "")
    return length.isascii() and length.isdigit() and len(length) < 10 and len(answer.body) >= int(length)
