"""docs/guide/telemetry.md names every field, every metric and every sentence that there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sessions.summary.telemetry_schema import Gpu
from telemetry import records
from telemetry.nvml import gpm as nvml_gpm
from telemetry.nvml import notices as nvml_news
from telemetry.nvml import readings as nvml_readings
from telemetry.nvml import source as nvml
from telemetry.nvml import unified_memory
from telemetry.prometheus import scrape as prometheus
from telemetry.prometheus.adapters import LLAMACPP, SGLANG, TGI, VLLM
from telemetry.prometheus.dcgm import NAMES

TEXT = (Path(__file__).parents[2] / "docs" / "guide" / "telemetry.md").read_text(encoding="utf-8")
QUOTED = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL))
WORDS = set(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", " ".join(QUOTED)))
FLAT = " ".join(TEXT.split())
ITS_OWN = {"t_ns", "source", "gpus", "devices", "code", "count", "text", "driver", "simulated", "event"}
"""Fields that every record has, or that hold others."""

RECORDS = (
    records.GpuSample,
    records.GpuSamples,
    records.GpuDevice,
    records.GpuEvent,
    records.GpuProcess,
    records.HostSample,
    records.ServerSample,
)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_every_field_of_a_record_is_named(record):
    assert {name for name in record.__struct_fields__ if name not in ITS_OWN} - WORDS == set()


def test_every_dcgm_metric_is_named():
    assert set(NAMES) - WORDS == set()


@pytest.mark.parametrize("names", [VLLM, SGLANG, TGI, LLAMACPP], ids=["vllm", "sglang", "tgi", "llamacpp"])
def test_every_metric_of_a_server_is_named_without_its_prefix(names):
    bases = {re.sub(r"(_bucket|_sum|_count)$", "", name.rpartition(":")[2]) for name in names.all()}
    assert {base for base in bases if base not in WORDS} == set()


def test_every_way_in_which_a_gpu_is_not_had_is_quoted_as_it_is_said():
    said = [
        *nvml.NO_NVML.values(),
        *prometheus.ABSENT.values(),
        *prometheus.REFUSED.values(),
        *(words.replace("{count} ", "") for words in nvml_news.ERROR_WORDS.values()),
        *(
            way.remark
            for table in (nvml_readings.READINGS, nvml_readings.POWER)
            for ways in table.values()
            for way in ways
        ),
        nvml_gpm.NO_GPM_PERMISSION,
        unified_memory.UNIFIED,
    ]
    missing = [words for words in said if words not in FLAT and words.rstrip("s") not in FLAT]
    assert missing == []


def test_every_key_of_a_gpu_in_a_summary_is_named():
    assert set(Gpu.__struct_fields__) - WORDS - ITS_OWN == set()
