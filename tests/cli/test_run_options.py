"""What the load options make of a run."""

from __future__ import annotations

import pytest

from sessions.plan.config import LoadConfig
from sessions.plan.target_config import TargetConfig
from tui.commands.run import parser
from tui.options.exit_codes import CommandError
from tui.options.run_options import config


@pytest.mark.parametrize(
    ("options", "cap"),
    [
        ("--concurrency 16", LoadConfig().max_in_flight),
        ("--concurrency 5000", 5000),
        ("--concurrency 16 --max-in-flight 20", 20),
        ("--rate 20", LoadConfig().max_in_flight),
    ],
)
def test_a_closed_loop_may_have_in_flight_what_it_asks_for(options: str, cap: int) -> None:
    given = parser().parse_args(["http://127.0.0.1:9", *options.split()])
    assert config(given, TargetConfig("http://127.0.0.1:9"), interactive=False).load.max_in_flight == cap


def seed_of(*options: str) -> int:
    given = parser().parse_args(["http://127.0.0.1:9", *options])
    return config(given, TargetConfig("http://127.0.0.1:9"), interactive=False).load.seed


def test_each_run_draws_a_seed_of_its_own_unless_one_is_given() -> None:
    assert len({seed_of() for _ in range(5)}) > 1, "or the next run asks what a prefix cache has seen"
    assert {seed_of("--seed", "0"), seed_of("--seed", "0")} == {0}


@pytest.mark.parametrize(
    ("options", "give_up"), [((), 100), (("--give-up", "7"), 7), (("--give-up", "off"), 0)]
)
def test_a_run_gives_up_after_so_many_failures_or_never(options: tuple[str, ...], give_up: int) -> None:
    given = parser().parse_args(["http://127.0.0.1:9", *options])
    assert config(given, TargetConfig("http://127.0.0.1:9"), interactive=False).load.give_up == give_up


@pytest.mark.parametrize(
    ("options", "load"),
    [
        ((), ("poisson", 1.0)),
        (("--burstiness", "0.5"), ("gamma", 0.5)),
        (("--arrivals", "gamma"), ("gamma", 1.0)),
        (("--arrivals", "gamma", "--burstiness", "4"), ("gamma", 4.0)),
    ],
)
def test_a_burstiness_is_of_gamma_arrivals(options: tuple[str, ...], load: tuple[str, float]) -> None:
    given = parser().parse_args(["http://127.0.0.1:9", *options])
    made = config(given, TargetConfig("http://127.0.0.1:9"), interactive=False).load
    assert (made.arrivals, made.burstiness) == load


def test_a_burstiness_of_other_arrivals_is_refused() -> None:
    given = parser().parse_args(["http://127.0.0.1:9", "--arrivals", "poisson", "--burstiness", "2"])
    with pytest.raises(
        CommandError, match="--burstiness, and --arrivals poisson; need --arrivals gamma, or none"
    ):
        config(given, TargetConfig("http://127.0.0.1:9"), interactive=False)


def test_tags_are_kept_with_the_run_and_the_last_value_of_each_holds() -> None:
    words = [f"--tag={tag}" for tag in ("gpu=H100", "tp=2", "gpu=H200")]
    given = parser().parse_args(["http://127.0.0.1:9", *words])
    kept = config(given, TargetConfig("http://127.0.0.1:9"), interactive=False)
    assert kept.tags == ["gpu=H200", "tp=2"]


@pytest.mark.parametrize("text", ["gpu", "=H100", "gpu=", "1=x", "g p=x", "gpu=" + "x" * 101, "gpu=a\x1b[2J"])
def test_what_is_no_tag_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match=r"--tag: got .*need"):
        parser().parse_args(["http://127.0.0.1:9", f"--tag={text}"])
