"""A disk on which one of a session's files cannot be made: one line, and no half session."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from sessions.plan.config import LoadConfig, RunConfig, WorkloadConfig
from sessions.plan.target_config import TargetConfig
from sessions.run.launch import LaunchError, launch
from sessions.run.prestart import SupervisorProcess, start_supervisor
from sessions.store.manifest import SessionError
from tests.faults.disk import Disk

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "file",
    ["host.log", "lock", "host.jsonl", "worker-0.jsonl.gz", "requests-0.jsonl.gz", "telemetry.jsonl.gz"],
)
def test_a_file_that_cannot_be_made_refuses_the_run_in_one_line_and_leaves_nothing(
    tmp_path: Path, simulator_url: str, file: str
) -> None:
    def in_the_way() -> SupervisorProcess:
        (directory,) = tmp_path.iterdir()
        (directory / file).mkdir()
        return start_supervisor()

    config = RunConfig(
        TargetConfig(simulator_url), LoadConfig(duration_s=1.0), WorkloadConfig(32, 8), telemetry=["host"]
    )
    run = launch(config, root=tmp_path, api_key=None, supervisor=in_the_way)
    with pytest.raises(LaunchError, match=rf"{file}: Is a directory$") as refused:
        run.wait_ready(30)
    assert refused.value.exit_code == 1
    assert run.process.wait(30) == 1
    assert run.process.stdout is not None
    run.process.stdout.close()
    assert not list(tmp_path.iterdir())


def test_a_manifest_that_cannot_be_written_leaves_no_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Disk(monkeypatch, tmp_path).refuses(errno.ENOSPC)
    with pytest.raises(SessionError, match="No space left"):
        launch(RunConfig(TargetConfig("http://127.0.0.1:1")), root=tmp_path, api_key=None)
    assert not list(tmp_path.iterdir())
