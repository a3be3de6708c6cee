"""GPUs split by MIG, as dcgm-exporter shows them: the board's figures once for each instance."""

from __future__ import annotations

import pytest

from telemetry.prometheus.adapters import NAMES
from telemetry.prometheus.dcgm import read
from telemetry.prometheus.exposition import Scrape, parse
from telemetry.prometheus.notices import split_by_mig
from telemetry.records import THROTTLE_REASONS

MIB = 1 << 20
INSTANCES = (("1g.10gb", 7, 1000, 9000), ("1g.10gb", 8, 2000, 9000), ("3g.40gb", 2, 3000, 37000))
"""Profile, GPU instance, MiB used and free."""


def labels(gpu, profile="", instance=""):
    mig = f',GPU_I_PROFILE="{profile}",GPU_I_ID="{instance}"' if profile else ""
    return f'{{gpu="{gpu}",UUID="GPU-{gpu}",modelName="NVIDIA H100",Hostname="n1"{mig}}}'


def split(gpu):
    """All lines of a GPU that is split, without a line of the whole."""
    lines = []
    for profile, instance, used, free in INSTANCES:
        at = labels(gpu, profile, instance)
        lines += [
            f"DCGM_FI_DEV_FB_USED{at} {used}",
            f"DCGM_FI_DEV_FB_FREE{at} {free}",
            f"DCGM_FI_DEV_POWER_USAGE{at} 310.5",
            f"DCGM_FI_DEV_GPU_TEMP{at} 51",
            f"DCGM_FI_DEV_CLOCK_THROTTLE_REASONS{at} 4",
            f"DCGM_FI_PROF_DRAM_ACTIVE{at} 0.31",
            f"DCGM_FI_PROF_PCIE_TX_BYTES{at} 5",
        ]
    return "\n".join(lines) + "\n"


def whole(gpu):
    at = labels(gpu)
    return (
        f"DCGM_FI_DEV_GPU_UTIL{at} 42\nDCGM_FI_DEV_FB_USED{at} 5000\nDCGM_FI_DEV_FB_FREE{at} 70000\n"
        f"DCGM_FI_DEV_POWER_USAGE{at} 400\n"
    )


def records(text):
    return read(parse(text, NAMES).samples, Scrape(100, 7, "x"))


def test_a_page_of_instances_only_shows_each_with_its_memory_and_the_board_once():
    devices, samples = records(split(0) + split(1))
    assert [(d.gpu, d.index, d.parent, d.mig) for d in devices.devices[:4]] == [
        ("GPU-0", 0, "", ""),
        ("GPU-0/2", 0, "GPU-0", "3g.40gb"),
        ("GPU-0/7", 0, "GPU-0", "1g.10gb"),
        ("GPU-0/8", 0, "GPU-0", "1g.10gb"),
    ]
    assert len(devices.devices) == len(samples.gpus) == 8
    board, three, one, other = samples.gpus[:4]
    assert [gpu.memory_used_bytes for gpu in (board, three, one, other)] == [
        None,
        3000 * MIB,
        1000 * MIB,
        2000 * MIB,
    ]
    assert (three.memory_total_bytes, devices.devices[1].memory_total_bytes) == (40000 * MIB, 40000 * MIB)
    assert [gpu.dram_active_pct for gpu in (board, three)] == [None, 31]
    # What is the board's is the board's: six instances do not draw six times its power.
    assert [gpu.power_w for gpu in (board, three, one, other)] == [310.5, None, None, None]
    assert [gpu.temperature_c for gpu in (board, three)] == [51, None]
    assert (board.throttle, three.throttle) == ([THROTTLE_REASONS[2]], None)
    assert split_by_mig([devices]) == "GPU 0 of n1 and GPU 1 of n1 are split by MIG"


def test_a_page_of_both_shows_both():
    devices, samples = records(split(0) + split(1) + whole(2))
    by_key = {gpu.gpu: gpu for gpu in samples.gpus}
    two = by_key["GPU-2"]
    assert (two.util_pct, two.memory_used_bytes, two.memory_total_bytes) == (42, 5000 * MIB, 75000 * MIB)
    assert by_key["GPU-1/8"].memory_used_bytes == 2000 * MIB
    assert split_by_mig([devices]) == "GPU 0 of n1 and GPU 1 of n1 are split by MIG"
    assert split_by_mig(records(whole(2))) == ""


def test_lines_of_the_whole_beside_its_instances_are_the_wholes():
    _, samples = records(split(0) + whole(0))
    board = samples.gpus[0]
    assert (board.gpu, board.util_pct, board.memory_used_bytes) == ("GPU-0", 42, 5000 * MIB)
    # Its own line, not what its instances repeat of it, whichever comes last.
    assert board.power_w == 400
    _, samples = records(whole(0) + split(0))
    assert samples.gpus[0].power_w == 400


@pytest.mark.parametrize(
    ("instance", "gpu"),
    [("", "GPU-0/1g.10gb"), ("x\x1b[2J", "GPU-0/x?[2J"), ("7" * 99, "GPU-0/" + "7" * 99)],
)
def test_an_instance_that_is_no_number_is_told_apart_all_the_same(instance, gpu):
    _, samples = records(f"DCGM_FI_DEV_FB_USED{labels(0, '1g.10gb', instance)} 5\n")
    assert [(one.gpu, one.memory_used_bytes) for one in samples.gpus] == [("GPU-0", None), (gpu, 5 * MIB)]


def test_an_instances_utilisation_is_not_the_boards():
    """DCGM has none for an instance; some exporters repeat one."""
    _, samples = records(f"DCGM_FI_DEV_GPU_UTIL{labels(0, '1g.10gb', 7)} 5\n")
    assert [gpu.util_pct for gpu in samples.gpus] == [None, 5]
