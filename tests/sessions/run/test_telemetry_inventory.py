from __future__ import annotations

from sessions.run.telemetry_inventory import TelemetryInventory
from telemetry.records import GpuDevice, GpuDevices, GpuSamples, SourceNote


def test_a_source_keeps_its_last_word_and_gpus_what_is_known_of_them():
    found = TelemetryInventory()
    for record in (
        SourceNote(5, "nvml", True, "NVML: 1 GPU"),
        SourceNote(6, "n1:9400/metrics", True, "n1:9400/metrics: found"),
        SourceNote(9, "n1:9400/metrics", False, "n1:9400/metrics: no answer within 1 s"),
        GpuDevices(5, "nvml", [GpuDevice("GPU-a", 0, "H100", "n0")]),
        GpuDevices(7, "nvml", [GpuDevice("GPU-a", 0, "H100", "n0", serves_target=True)], driver="570.1"),
    ):
        found.take(record)
    assert found.table() == {
        "sources": [
            {"source": "n1:9400/metrics", "ok": False, "message": "n1:9400/metrics: no answer within 1 s"},
            {"source": "nvml", "ok": True, "message": "NVML: 1 GPU"},
        ],
        "gpus": [
            {
                "source": "nvml",
                "driver": "570.1",
                "gpu": "GPU-a",
                "index": 0,
                "name": "H100",
                "host": "n0",
                "serves_target": True,
            }
        ],
    }


def test_only_what_was_not_asked_about_yet_is_a_change():
    found = TelemetryInventory()
    assert not found.changed
    found.take(GpuSamples(1, 1, "nvml", []))
    assert not found.changed
    found.take(SourceNote(1, "nvml", True, "NVML: 1 GPU"))
    assert found.changed
    found.table()
    assert not found.changed
