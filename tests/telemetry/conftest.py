from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import socket
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pynvml
import pytest

from telemetry.nvml import events as nvml_events
from telemetry.nvml.events import EventWatch

SOURCE = Path(__file__).parent / "nvml" / "fake_nvml.c"


class FakeNvml:
    """A real shared library under the real pynvml; `says` sets what it answers from the next call on."""

    def __init__(self, library: Path, state: Path) -> None:
        self.library = library
        self.state = state

    def says(self, text: str) -> None:
        new = self.state.with_suffix(".new")
        new.write_text(text.replace(";", "\n") + "\n")
        new.replace(self.state)


@pytest.fixture(scope="session")
def nvml_libraries(tmp_path_factory):
    """Paths of two builds: a current driver's library, and one that lacks the newer symbols."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        pytest.skip("no C compiler (cc) to build the stand-in for libnvidia-ml.so.1")
    folder = tmp_path_factory.mktemp("nvml")
    built = {}
    for name, flags in (("new", []), ("old", ["-DOLD"])):
        built[name] = folder / name / "libnvidia-ml.so.1"
        built[name].parent.mkdir()
        command = [compiler, "-shared", "-fPIC", "-O1", *flags, "-o", str(built[name]), str(SOURCE)]
        subprocess.run(command, check=True)
    return built


@pytest.fixture
def load_nvml(nvml_libraries, tmp_path, monkeypatch):
    """`load_nvml(build)` puts a build under pynvml in this process, until the test ends."""
    watches = []
    start = EventWatch.start

    def started(watch: EventWatch, handles: list) -> str:
        watches.append(watch)
        return start(watch, handles)

    monkeypatch.setattr(EventWatch, "start", started)
    monkeypatch.setattr(nvml_events, "WAIT_MS", 20)

    def load(build: str) -> FakeNvml:
        fake = FakeNvml(nvml_libraries[build], tmp_path / "nvml.txt")
        fake.says("count 2")
        # ctypes' own putenv is what getenv in the library sees.
        monkeypatch.setenv("TTFTOP_FAKE_NVML", str(fake.state))
        monkeypatch.setattr(pynvml, "nvmlLib", ctypes.CDLL(str(fake.library)))
        monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
        return fake

    yield load
    # A watch waits in this library: it must be out before another takes its place.
    for watch in watches:
        watch.stop()
    for thread in threading.enumerate():
        if thread.name == "telemetry nvml events":
            thread.join(10)
            assert not thread.is_alive()


@pytest.fixture
def nvml(load_nvml) -> FakeNvml:
    return load_nvml("new")


class MetricsServer:
    """A real HTTP server on loopback; its /metrics says what a test sets; it keeps the requests' headers."""

    def __init__(self) -> None:
        self.body = b""
        self.status = 200
        self.headers: dict[str, str] = {}
        self.drip_s = 0.0
        """Seconds between single bytes of the body."""
        self.delay_s = 0.0
        """Seconds before anything is answered."""
        self.redirects: dict[str, tuple[int, str]] = {}
        """By path: status and location."""
        self.without_query: tuple[int, str] | None = None
        """Status and body where the address has no query."""
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.release = threading.Event()
        self.release.set()
        """While clear, requests hang unanswered."""
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                owner.connections.append(self.request)

            def do_GET(self) -> None:
                owner.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                owner.release.wait(30)
                owner.stopping.wait(owner.delay_s)
                status, headers, body = owner.status, owner.headers, owner.body
                if self.path in owner.redirects:
                    status, location = owner.redirects[self.path]
                    headers, body = {"location": location}, b""
                elif owner.without_query is not None and "?" not in self.path:
                    status, body = owner.without_query[0], owner.without_query[1].encode()
                try:
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("content-length", str(len(body)))
                    self.end_headers()
                    if owner.drip_s:
                        for byte in body:
                            self.wfile.write(bytes([byte]))
                            if owner.stopping.wait(owner.drip_s):
                                return
                    else:
                        self.wfile.write(body)
                except OSError:
                    self.close_connection = True

            def handle(self) -> None:
                with contextlib.suppress(ConnectionError):  # a client that has read enough
                    super().handle()

            def log_message(self, *args: object) -> None:
                pass

        self.stopping = threading.Event()
        self.connections: list[socket.socket] = []
        self._handler = Handler
        self._server = self._listen(0)
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/metrics"
        self.name = f"127.0.0.1:{self.port}/metrics"

    def _listen(self, port: int) -> ThreadingHTTPServer:
        server = ThreadingHTTPServer(("127.0.0.1", port), self._handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server

    def says(self, text: str) -> None:
        self.body = text.encode()

    def shows(self, fixture: str) -> None:
        self.body = (Path(__file__).parent / "prometheus" / "fixtures" / fixture).read_bytes()

    def stop(self) -> None:
        self.stopping.set()
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.connections.clear()

    def wrap(self, context: ssl.SSLContext) -> None:
        """From now on it speaks TLS."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def back(self) -> None:
        self.stopping.clear()
        self._server = self._listen(self.port)


@pytest.fixture
def start_metrics_server():
    started = []

    def start() -> MetricsServer:
        started.append(MetricsServer())
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def served(start_metrics_server) -> MetricsServer:
    return start_metrics_server()
