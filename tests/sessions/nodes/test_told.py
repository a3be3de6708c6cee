"""What workers on a node are told: their own clock and paths, and nothing else changed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from loadgen.arrivals.load import ClosedLoad, ConversationLoad, OpenLoad, TraceLoad
from loadgen.arrivals.rate_curve import ramp, steady
from loadgen.worker_config import Address, Finish, LoadTarget, SetLoad, Stage, WorkerCommand, WorkerConfig
from loadgen.workload.lengths import Fixed
from loadgen.workload.spec import FileWorkload, MixWorkload, PromptSpec, TraceWorkload, WeightedPart
from loadgen.workload.template import RequestTemplate, TargetHead
from sessions.nodes.told import FILE_FIELDS, INSTANTS, files_in, for_node, shifted, with_files
from tests.loadgen.worker.engine_runs import worker_config

PROMPT = PromptSpec("text", 4)
MIX = MixWorkload([WeightedPart("x", 1.0, FileWorkload("/s/p", PROMPT, Fixed(1)))])
S = 1_000_000_000


def test_a_configuration_gets_the_clock_the_addresses_and_the_paths_of_the_node() -> None:
    here = worker_config(
        1,
        TraceLoad("/s/trace-0.bin", 4.0, [steady(0, 4.0)]),
        address=Address("h", 1, True, ca_file="/ca", cert_file="/cert", at=("10.0.0.1",)),
        workload=MixWorkload([WeightedPart("x", 1.0, FileWorkload("/s/prompts-0", PROMPT, Fixed(1)))]),
    )
    assert sorted(files_in(here)) == ["/ca", "/cert", "/s/prompts-0", "/s/trace-0.bin"]
    paths = {path: f"/node{path}" for path in files_in(here)}
    there = for_node(here, paths, here.origin_ns + 5, {("h", 1): ["10.1.0.1"]})
    assert there.origin_ns == here.origin_ns + 5
    assert there.address == Address(
        "h", 1, True, ca_file="/node/ca", cert_file="/node/cert", at=("10.1.0.1",)
    )
    assert there.load == TraceLoad("/node/s/trace-0.bin", 4.0, [steady(0, 4.0)])
    assert sorted(files_in(there)) == sorted(paths.values())
    back = for_node(there, {new: old for old, new in paths.items()}, here.origin_ns, {("h", 1): ["10.0.0.1"]})
    assert back == here


def test_of_several_servers_each_is_where_the_node_finds_it() -> None:
    targets = tuple(LoadTarget(host, Address(host, 1, at=("10.0.0.1",)), {}) for host in ("a", "b", "c"))
    here = msgspec.structs.replace(worker_config(1), address=targets[0].address, targets=targets)
    there = for_node(here, {}, 5, {("a", 1): ["10.1.0.1"], ("b", 1): ["10.1.0.2", "10.1.0.3"]})
    assert there.address.at == ("10.1.0.1",)
    assert [target.address.at for target in there.targets] == [
        ("10.1.0.1",),
        ("10.1.0.2", "10.1.0.3"),
        ("10.0.0.1",),
    ]


def test_a_stage_gets_its_paths_and_keeps_its_instants() -> None:
    told = SetLoad(7, ClosedLoad(1), stage=Stage(0, TraceWorkload(PROMPT, "/t"), end_ns=9))
    assert with_files(told, {"/t": "/n"}) == SetLoad(
        7, ClosedLoad(1), stage=Stage(0, TraceWorkload(PROMPT, "/n"), end_ns=9)
    )
    with pytest.raises(KeyError):
        with_files(told, {})


def test_a_command_is_moved_with_all_its_instants_and_nothing_else() -> None:
    curve = ramp(5 * S, 1.0, 9.0, 10.0, "linear")
    told = SetLoad(
        5 * S, ConversationLoad(OpenLoad("poisson", curve), Fixed(3)), stage=Stage(1, MIX, end_ns=30 * S)
    )
    later = [
        msgspec.structs.replace(
            one, start_ns=one.start_ns + 7, end_ns=None if one.end_ns is None else one.end_ns + 7
        )
        for one in curve
    ]
    assert shifted(told, 7) == SetLoad(
        5 * S + 7,
        ConversationLoad(OpenLoad("poisson", later), Fixed(3)),
        stage=Stage(1, MIX, end_ns=30 * S + 7),
    )
    assert shifted(Finish(2.0), 7) == Finish(2.0)
    assert shifted(shifted(told, 7), -7) == told


def test_every_instant_of_a_command_is_known() -> None:
    times = {
        name
        for kind in structs(WorkerCommand, set())
        for name in kind.__struct_fields__  # type: ignore[attr-defined]
        if name.endswith("_ns")
    }
    assert times == set(INSTANTS)


def structs(kind: Any, seen: set[type]) -> Iterator[type]:
    """All values that a message of this type may be made of."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind not in seen:
        seen.add(kind)
        yield kind
        for hint in get_type_hints(kind).values():
            yield from structs(hint, seen)
    for argument in get_args(kind):
        yield from structs(argument, seen)


def test_every_field_that_may_be_a_file_is_known() -> None:
    found = {
        (kind, name)
        for kind in structs(WorkerConfig | WorkerCommand, set())
        for name in kind.__struct_fields__  # type: ignore[attr-defined]
        if name == "path" or name.endswith("_file")
    }
    templates = {one for one in found if one[0] in (RequestTemplate, TargetHead)}  # of a URL
    assert found - templates == {(kind, name) for kind, names in FILE_FIELDS.items() for name in names}


def test_a_run_on_this_machine_alone_loads_nothing_of_nodes() -> None:
    code = (
        "import sys, sessions.run.__main__, sessions.worker.process, tui.commands.run\n"
        "print([name for name in sys.modules if name.startswith('sessions.nodes')])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"
