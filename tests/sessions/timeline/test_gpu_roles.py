"""GPUs of machines whose role a person told: shown by it, and counted."""

from __future__ import annotations

import pytest

from sessions.plan.roles import RoleError, role, roles_of
from sessions.timeline.gpus import place
from sessions.timeline.load_gpus import metered
from sessions.timeline.timeline import Timeline
from telemetry.of_node import with_role
from telemetry.records import GpuDevice, GpuDevices


def said(source: str, *devices: GpuDevice) -> GpuDevices:
    return GpuDevices(0, source, list(devices))


def metered_of(*records: GpuDevices) -> list[str]:
    timeline = Timeline()
    for record in records:
        timeline.apply(record)
    return [gpu.device(0).gpu for gpu in metered(timeline.gpus, 0)]


def test_the_gpus_of_a_role_count_beside_those_that_are_seen_to_serve() -> None:
    """The server listens on one node; the GPUs that decode are on another, where nobody sees that."""
    serves = GpuDevice("h0", 0, host="head", serves_target=True)
    head = said("nvml", serves, GpuDevice("h1", 1, host="head", serves_target=False))
    decode = said("node b nvml", GpuDevice("d0", 0, host="b", role="decode"))
    load = said("node l nvml", GpuDevice("l0", 0, host="load"))
    assert metered_of(head, decode, load) == ["d0", "h0"]
    assert metered_of(decode, load) == ["d0"]
    assert metered_of(load) == ["l0"]


def test_roles_stand_in_the_order_in_which_a_request_comes_to_them() -> None:
    names = ("", "decode", "router", "prefill")
    devices = [GpuDevice("x", i, host=f"n{i}", role=name) for i, name in enumerate(names)]
    assert [one.role for one in sorted(devices, key=place)] == ["prefill", "decode", "router", ""]


def test_a_role_is_of_a_host_by_its_own_name_or_by_that_of_its_source() -> None:
    record = said("ssh gpu1 nvml", GpuDevice("a", 0, host="gpu1.cluster"), GpuDevice("b", 1, host="gpu2"))
    with_role(record, roles_of([role("gpu1=prefill"), role("gpu2=decode")]))
    assert [device.role for device in record.devices] == ["prefill", "decode"]


@pytest.mark.parametrize("word", ["prefill", "a=", "=prefill", "a=Pre fill", "a=pre\x1b", "a=" + "x" * 17])
def test_what_is_no_role_is_one_line(word: str) -> None:
    with pytest.raises(RoleError, match="need HOST=ROLE") as caught:
        role(word)
    assert str(caught.value).isprintable()
