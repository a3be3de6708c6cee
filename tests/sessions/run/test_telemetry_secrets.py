"""What the pages of a run say is kept without the run's secrets."""

from __future__ import annotations

import base64
import gzip
import http.server
import threading
import time
from pathlib import Path

from loadgen.clock import MonotonicClock
from sessions.plan.config import LoadConfig, RunConfig, WorkloadConfig
from sessions.plan.target_config import TargetConfig
from sessions.run.launch import Orders
from sessions.run.telemetry import TelemetryRecorder
from sessions.store.journal import TELEMETRY_FILE

KEY, PASSWORD = "sk-CANARY-of-the-key", "CANARY-of-a-header"
NAME = f"{base64.b64encode(KEY.encode()).decode()} {PASSWORD} {KEY.encode().hex()}"
PAGE = f"""\
DCGM_FI_DEV_GPU_UTIL{{gpu="0",UUID="GPU-{PASSWORD}",modelName="{NAME}",Hostname="{KEY}"}} 5
""".encode()


class _Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_: object) -> None:
        pass


def test_labels_of_a_page_are_kept_without_the_key_and_without_headers(tmp_path: Path) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        config = RunConfig(
            target=TargetConfig(url=url),
            load=LoadConfig(),
            workload=WorkloadConfig(),
            telemetry=[f"{url}/metrics"],
        )
        secrets = Orders(str(tmp_path), config, KEY, headers=[("x-pass", PASSWORD)]).secrets()
        recorder = TelemetryRecorder(MonotonicClock(time.monotonic_ns()))
        recorder.start(config, KEY, tmp_path, secrets=secrets)
        while not recorder.table()["gpus"]:
            time.sleep(0.01)
        recorder.stop()
        recorder.close()
        server.shutdown()
    kept = gzip.decompress((tmp_path / TELEMETRY_FILE).read_bytes()).decode() + str(recorder.table())
    assert "*** *** ***" in kept
    for secret in ("CANARY", *NAME.split()):
        assert secret not in kept
