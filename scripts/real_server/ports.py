"""The port to serve on."""

from __future__ import annotations

import socket


def choose(port: int) -> int:
    """`port`, or a free one for 0; ends the process with one line where it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            raise SystemExit(f"ttftop: error: --port {port}: cannot listen there: {error}") from None
        return int(probe.getsockname()[1])
