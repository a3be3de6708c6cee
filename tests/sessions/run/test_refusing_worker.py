"""A load worker that cannot begin says why, and the run ends with its words, not with a guess at its death."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from loadgen.worker_config import Address
from sessions.plan.config import LoadConfig, RunConfig, WorkloadConfig
from sessions.plan.target_config import TargetConfig
from sessions.run.launch import Orders
from sessions.run.place import SessionPlace
from sessions.run.preflight import Preflight, preflight
from sessions.run.supervisor import Supervisor
from sessions.store.directory import hold_lock
from sessions.store.manifest import read, write
from sessions.store.records import Note
from tests.sessions.conftest import Maker
from tests.sessions.run.test_supervisor import host_records

pytestmark = pytest.mark.slow


def test_what_a_worker_refuses_for_is_the_reason_of_the_end(
    tmp_path: Path, make_run: Maker, simulator_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "s"
    directory.mkdir(0o700)
    manifest = make_run().manifest
    manifest.config = RunConfig(
        TargetConfig(simulator_url), LoadConfig(requests=3), WorkloadConfig(32, 8), telemetry=["none"]
    )
    write(directory, manifest)

    async def name_is_gone(*asked: Any) -> Any:
        found = await preflight(*asked)
        assert isinstance(found, Preflight)
        return found._replace(address=Address("no-such-host.invalid", 1))

    monkeypatch.setattr("sessions.run.supervisor.preflight", name_is_gone)
    place = SessionPlace(directory, hold_lock(directory))
    assert asyncio.run(Supervisor(directory, Orders(str(directory), manifest.config), place).run()) == 1
    end = read(directory).end
    assert end is not None
    assert end.reason == "failed"
    assert end.message.startswith("no-such-host.invalid: ")
    notes = [record.text for record in host_records(directory) if isinstance(record, Note)]
    assert not any("unexpectedly" in note for note in notes)
