"""CUDA_VISIBLE_DEVICES as CUDA reads it, by the CUDA C++ programming guide and the MIG user guide."""

from __future__ import annotations

import pytest

from telemetry.nvml.cuda_visible import GpuNames, shown

FOUR = [
    GpuNames("GPU-aa1", "H100", ()),
    GpuNames("GPU-ab2", "H100", (("MIG-c1", "MIG-GPU-ab2/7/0"), ("MIG-c2", "MIG-GPU-ab2/8/0"))),
    GpuNames("GPU-b3", "H100", ()),
    GpuNames("GPU-b4", "H100", ()),
]
MIXED = [GpuNames("GPU-t4", "T4", ()), GpuNames("GPU-h100", "H100", ()), GpuNames("GPU-a100", "A100", ())]


def places(setting, gpus=FOUR, order=None):
    """(GPU, instance) in CUDA's order; None where all or nothing is known."""
    known = shown(setting, gpus, order)
    return None if known is None else known.devices


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("", []),
        ("0", [0]),
        ("2,0", [2, 0]),
        (" 3 , 2 ", [3, 2]),
        ("0,0,2", [0, 2]),
        ("GPU-b4,GPU-aa1", [3, 0]),
        ("GPU-aa", [0]),
        ("GPU-a", []),  # two of them
        ("0,7,2", [0]),  # CUDA stops at the first that is none
        ("-1", []),
        ("2,-1,3", [2]),
        ("NoDevFiles", []),
        ("x", []),
        ("9" * 5000, []),
        ("²", []),
    ],
)
def test_the_variable_is_read_as_cuda_reads_it(setting, expected):
    assert places(setting) == [(place, None) for place in expected]
    assert shown(setting, FOUR, None).certain


def test_without_the_variable_all_are_visible():
    assert shown(None, FOUR, None) is None


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("MIG-c2", [(1, 1)]),
        ("MIG-c1,MIG-c2,2", [(1, 0), (1, 1), (2, None)]),
        ("MIG-GPU-ab2/8/0", [(1, 1)]),  # as drivers before 470 wrote it
        ("MIG-GPU-ab2/8", [(1, 1)]),
        ("MIG-c", []),  # two of them
        ("MIG-", []),
        ("MIG-c2,MIG-x,2", [(1, 1)]),
        ("1", [(1, None)]),
    ],
)
def test_mig_instances_are_named_by_uuid_or_a_beginning_of_it(setting, expected):
    assert places(setting) == expected


def test_numbers_are_in_the_order_of_the_bus_where_that_is_asked_for():
    assert places("0,2", MIXED, "PCI_BUS_ID") == [(0, None), (2, None)]
    assert shown("0", MIXED, "PCI_BUS_ID").certain


@pytest.mark.parametrize("order", [None, "", "FASTEST_FIRST", "nonsense"])
def test_numbers_among_unlike_gpus_tell_nothing_when_cuda_counts_by_speed(order):
    known = shown("0", MIXED, order)
    assert (known.devices, known.certain) == ([], False)


def test_all_numbers_among_unlike_gpus_show_all_in_an_order_that_is_not_known():
    known = shown("2,0,1", MIXED, None)
    assert (known.devices, known.certain, known.all_visible) == ([], False, True)


def test_uuids_are_certain_among_unlike_gpus():
    known = shown("GPU-h,GPU-t4", MIXED, None)
    assert (known.devices, known.certain) == ([(1, None), (0, None)], True)


def test_no_number_shows_nothing_whatever_the_order():
    known = shown("-1", MIXED, None)
    assert (known.devices, known.certain) == ([], True)


def test_gpus_whose_names_are_not_known_count_as_unlike():
    gpus = [GpuNames("GPU-1", "H100", ()), GpuNames("", "", ())]
    assert not shown("0", gpus, None).certain
    assert shown("0", gpus, "PCI_BUS_ID").certain
