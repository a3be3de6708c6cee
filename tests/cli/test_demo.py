"""What `ttftop demo` asks of its run, up to where the run would start."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from sessions.plan.config import RunConfig
from tui.commands import demo


class NoSimulator:
    """In the place of the simulated server's process."""

    url = "http://127.0.0.1:9"

    def __init__(self, profile: str | None, seed: int) -> None: ...

    def __enter__(self) -> NoSimulator:
        return self

    def __exit__(self, *_: object) -> None: ...


@pytest.mark.parametrize(
    ("words", "screen", "targets"),
    [
        ([], True, [demo.TARGETS]),
        (["--rate", "4"], True, [demo.TARGETS]),
        ([], False, [demo.TARGETS]),
        (["--slo", "ttft.p99<1s"], False, ["ttft.p99<1s"]),
        (["--junit", "x.xml"], False, []),
        (["--junit", "x.xml"], True, [demo.TARGETS]),
        (["--slo", "ttft.p99<1s"], True, ["ttft.p99<1s"]),
        (["--endpoint", "embeddings"], True, []),
    ],
)
def test_a_demo_has_targets_unless_others_are_named(
    monkeypatch: pytest.MonkeyPatch, words: list[str], screen: bool, targets: list[str]
):
    started: list[RunConfig] = []

    def start(config: RunConfig, *_: object) -> SimpleNamespace:
        started.append(config)
        return SimpleNamespace(goes_on=False, exit_code=0)

    monkeypatch.setattr(demo, "Simulator", NoSimulator)
    monkeypatch.setattr(demo.start, "has_screen", lambda options: screen)
    monkeypatch.setattr(demo.start, "start", start)
    assert demo.run(demo.parser().read(words)) == 0
    assert started[0].slo == targets
