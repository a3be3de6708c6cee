"""Several servers beside what else a run may ask for."""

from __future__ import annotations

import pytest

from sessions.plan.config import ConfigError, NodesConfig, RunConfig, checked
from sessions.plan.target_config import TargetConfig


def test_source_addresses_are_of_this_machine_and_not_of_nodes() -> None:
    target = TargetConfig("http://a", sources=["127.0.0.2"])
    assert checked(RunConfig(target)).target == target
    with pytest.raises(
        ConfigError, match=r"--source-address: got .*, which is of this machine, and .* from --nodes"
    ):
        checked(RunConfig(target, nodes=NodesConfig(["ssh://n"])))
