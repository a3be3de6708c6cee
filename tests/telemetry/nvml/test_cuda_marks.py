"""What CUDA_VISIBLE_DEVICES does to the devices that are told."""

from __future__ import annotations

from tests.telemetry.nvml.polled import Polled, devices, notes

UNLIKE = "count 2; name_latin1.1 1"


def marks(polled):
    return [(d.gpu, d.visible, d.cuda_index) for d in devices(polled.records)]


def test_a_mig_instance_that_is_named_is_visible_alone_with_its_gpu(nvml):
    nvml.says("count 2; mig.0 2")
    polled = Polled(cuda_visible="MIG-fake-0-1")
    assert marks(polled) == [
        ("GPU-fake-0", True, 0),
        ("MIG-fake-0-0", False, None),
        ("MIG-fake-0-1", True, 0),
        ("GPU-fake-1", False, None),
    ]
    assert notes(polled.records)[0][1].endswith("CUDA_VISIBLE_DEVICES shows 1 MIG instance")


def test_two_instances_of_one_gpu_are_two_of_cudas_devices(nvml):
    nvml.says("count 2; mig.0 2")
    polled = Polled(cuda_visible="MIG-GPU-fake-0/8/0,MIG-fake-0-0,1")
    assert marks(polled) == [
        ("GPU-fake-0", True, 0),
        ("MIG-fake-0-0", True, 1),
        ("MIG-fake-0-1", True, 0),
        ("GPU-fake-1", True, 2),
    ]
    assert notes(polled.records)[0][1].endswith("CUDA_VISIBLE_DEVICES shows 1 of them and 2 MIG instances")


def test_which_instance_of_a_gpu_named_as_a_whole_is_not_known(nvml):
    nvml.says("count 1; mig.0 2")
    assert [visible for _, visible, _ in marks(Polled(cuda_visible="0"))] == [True, None, None]


def test_a_number_among_unlike_gpus_hides_none_and_says_why(nvml):
    nvml.says(UNLIKE)
    polled = Polled(cuda_visible="0")
    assert marks(polled) == [("GPU-fake-0", None, None), ("GPU-fake-1", None, None)]
    assert notes(polled.records)[0][1].endswith(
        "which GPUs CUDA_VISIBLE_DEVICES shows is not known: CUDA counts unlike GPUs by speed unless "
        "CUDA_DEVICE_ORDER=PCI_BUS_ID"
    )


def test_a_number_in_the_order_of_the_bus_hides_the_other(nvml):
    nvml.says(UNLIKE)
    polled = Polled(cuda_visible="0", cuda_order="PCI_BUS_ID")
    assert marks(polled) == [("GPU-fake-0", True, 0), ("GPU-fake-1", False, None)]
