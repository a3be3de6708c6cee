"""A machine on which NVML gives nothing: told in one sentence, and nothing is polled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

import pynvml
import pytest

from telemetry.nvml.source import NvmlSource
from telemetry.poller import Poller
from tests.telemetry.nvml.polls import Clock, notes, opened


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (
            "init 9",
            "NVML: the NVIDIA driver is installed but not loaded; run nvidia-smi, or sudo modprobe nvidia",
        ),
        (
            "init 18",
            "NVML: the NVIDIA driver and its library have different versions (updated while loaded?); reboot",
        ),
        (
            "init 4",
            "NVML: no permission to talk to the NVIDIA driver; check who may read and write /dev/nvidia*",
        ),
        ("init 777", "NVML: it does not start: said by the fake (code 777); see what nvidia-smi says"),
        ("count 0", "NVML: driver 999.1 sees no GPU; a container needs --gpus all"),
    ],
)
def test_each_way_of_having_no_gpu_is_one_sentence_and_nothing_to_poll(nvml, state, sentence):
    nvml.says(state)
    source, _, records = opened()
    assert notes(records) == [(False, sentence)]
    assert len(records) == 1
    assert source.interval_ns is None
    source.close()


def test_a_foreign_module_named_pynvml_is_refused(nvml, monkeypatch):
    monkeypatch.delattr(pynvml, "_nvmlGetFunctionPointer")
    _, _, records = opened()
    assert notes(records)[0][1].startswith("NVML: the module pynvml is not NVIDIA's")


def test_when_told_to_skip_nvml_is_not_even_loaded(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)  # an import of it would fail
    source, _, records = opened(skip=lambda: "left alone")
    assert notes(records) == [(True, "left alone")]
    assert source.interval_ns is None


def test_a_missing_binding_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    _, _, records = opened()
    assert notes(records) == [
        (False, "NVML: the Python package nvidia-ml-py is missing; pip install nvidia-ml-py")
    ]


PROBE = """
import json, time
from telemetry.nvml.source import NvmlSource
print(json.dumps([r.message for r in NvmlSource().open(time.monotonic_ns) if hasattr(r, "message")]))
"""


def notes_of_a_fresh_process(**environment):
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_the_library_is_found_by_the_dynamic_linker(nvml):
    nvml.says("count 1")
    assert notes_of_a_fresh_process(LD_LIBRARY_PATH=str(nvml.library.parent)) == [
        "NVML: 1 GPU (1 x Fake GPU?[31m), driver 999.1"
    ]


def test_without_a_library_the_sentence_says_so(tmp_path):
    # A file that is no library stands before any real driver of this machine.
    (tmp_path / "libnvidia-ml.so.1").write_text("not a library")
    assert notes_of_a_fresh_process(LD_LIBRARY_PATH=str(tmp_path)) == [
        "NVML: no NVIDIA driver on this machine (libnvidia-ml.so.1 not found); a container needs --gpus all"
    ]


def test_a_call_that_blocks_holds_up_neither_python_nor_the_end(nvml):
    nvml.says("count 1; delay_ms.nvmlDeviceGetUtilizationRates 60000")
    got = []
    poller = Poller([NvmlSource()], got.append, Clock())
    poller.start()
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "telemetry nvml"]
    assert poller.stop(timeout_s=0.2) == ["nvml"]
    nvml.says("count 1")
    thread.join(30)
    assert not thread.is_alive()
    assert got == []
