from __future__ import annotations

import pytest

from telemetry.nvml.cuda_visible import shown

GPUS = [["GPU-aa1"], ["GPU-ab2", "MIG-1", "MIG-2"], ["GPU-b3"], ["GPU-b4"]]


@pytest.mark.parametrize(
    ("setting", "places"),
    [
        (None, None),
        ("", []),
        ("0", [0]),
        ("2,0", [2, 0]),
        (" 3 , 1 ", [3, 1]),
        ("0,0,1", [0, 1]),
        ("GPU-b4,GPU-aa1", [3, 0]),
        ("GPU-aa", [0]),
        ("GPU-a", []),  # two of them
        ("MIG-2", [1]),
        ("0,7,1", [0]),  # CUDA stops at the first that is none
        ("-1", []),
        ("1,-1,2", [1]),
        ("NoDevFiles", []),
        ("x", []),
        ("9" * 5000, []),
        ("²", []),
    ],
)
def test_the_variable_is_read_as_cuda_reads_it(setting, places):
    assert shown(setting, GPUS) == places
