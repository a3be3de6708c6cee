"""Answers `GET /metrics` for as long as a run goes on, and a little longer: its end is scraped, too."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from sessions.exporter.exposition import OPENMETRICS, TEXT, exposition
from sessions.frame.session_view import SessionView

POLL_S = 1.0
AFTER_S = 30.0
"""After the end of the run: two scrapes of Prometheus's usual 15 s."""
BEGINS_S = 60.0
"""So long a supervisor may take to hold its session: as long as whoever started it waits for it."""
WINDOW_NS = 60 * 10**9


def serve(
    directory: Path,
    listening: socket.socket,
    *,
    poll_s: float = POLL_S,
    after_s: float = AFTER_S,
    begins_s: float = BEGINS_S,
) -> None:
    """Returns `after_s` after the run's end, or where it has not begun within `begins_s`."""
    view, lock = SessionView(directory), threading.Lock()

    def text(openmetrics: bool) -> str:
        with lock:
            view.read_all()
            return exposition(view.frame(view.last_ns, WINDOW_NS, 60), openmetrics=openmetrics)

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            if self.path.partition("?")[0] not in ("/metrics", "/"):
                self.send_error(404, "only /metrics is here")
                return
            openmetrics = "application/openmetrics-text" in self.headers.get("Accept", "")
            body = text(openmetrics).encode()
            self.send_response(200)
            self.send_header("Content-Type", OPENMETRICS if openmetrics else TEXT)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(listening.getsockname()[:2], Handler, bind_and_activate=False)
    server.socket.close()
    server.socket, server.daemon_threads = listening, True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    begun, waiting, left_s = False, threading.Event(), begins_s
    while True:
        with lock:
            view.read_all()
        begun = begun or view.locked or (view.manifest is not None and view.manifest.end is not None)
        if not directory.is_dir():  # refused, or removed: there is nothing more to tell
            after_s = 0.0
            break
        if (begun and not view.live) or (not begun and left_s < 0):
            break
        waiting.wait(poll_s)
        left_s -= poll_s
    waiting.wait(after_s)
    server.shutdown()
