"""`python -m sessions.exporter DIRECTORY FD`: serves a run's figures on a socket that listens already."""

from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path

from sessions.exporter.serve import serve

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(Path(sys.argv[1]), socket.socket(fileno=int(sys.argv[2])))
