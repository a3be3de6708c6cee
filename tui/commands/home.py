"""`ttftop` alone on a terminal: the home screen, and what is opened from it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sessions.plan.config import RunConfig
from sessions.plan.stages import Stage
from tui.commands.replay import listed
from tui.controls import run_form
from tui.draw.plans import said_estimate
from tui.foreground import screen, start
from tui.foreground.home import choose
from tui.options import run_options
from tui.options.exit_codes import INTERRUPTED, OK, CommandError
from tui.options.packages import OF_A_SCREEN, need
from tui.options.settings import asked_settings
from tui.options.target_options import target

if TYPE_CHECKING:
    from sessions.frame.course import Course
    from telemetry.local_servers import LocalServer
    from tui.screens.home import HomeChoice, HomeSources

Tell = Callable[[Sequence["LocalServer"]], None]
AS_EVER = argparse.Namespace(
    sessions_dir=None, no_color=False, charset=None, theme=None, debug=False, plain=False
)


def run(start_command: Callable[[list[str]], int]) -> int:
    """The home screen until the person leaves it, or starts or joins a run; returns the exit code.

    A replay comes back to it. `start_command` does what is typed after `ttftop`.

    Raises:
        CommandError: the sessions cannot be listed, or what was opened cannot be.
    """
    from sessions.store.directory import is_live

    need(OF_A_SCREEN)
    root, settings = start.root(AS_EVER), asked_settings(AS_EVER)
    sources, chosen = _sources(root), _as_opened(root)
    while True:
        chosen = choose(sources, chosen, settings)
        if chosen.how == "run":
            return start_command(list(chosen.words))
        if chosen.how != "session" or chosen.directory is None:
            return INTERRUPTED if chosen.how == "interrupted" else OK
        if is_live(chosen.directory):
            return start_command(["attach", str(chosen.directory)])
        # No nicer than before: a run that is started from the home screen later would be as nice.
        base = None if chosen.home.base is None else chosen.home.base.directory
        if screen.show_replay(chosen.directory, AS_EVER, nicer=False, against=base) != OK:
            return INTERRUPTED


def checked(values: Mapping[str, str]) -> run_form.Checked:
    """What the command line that a form comes to would start, or why it is refused."""
    from tui.commands import run as run_command

    words = run_form.words(values)
    try:
        options = run_command.parser().read(words[1:])
        config = run_options.config(options, target(options), interactive=True)
    except CommandError as error:
        return run_form.Checked(words, str(error), False)
    return run_form.Checked(words, _estimate(config), True)


def _estimate(config: RunConfig) -> str:
    load = config.load
    if load.duration_s is None:
        return f"{load.rate_rps:g} requests a second until you end it; keys change the load"
    one = Stage(name="run", rate_rps=load.rate_rps, duration_s=load.duration_s)
    return said_estimate([one], config.workload)


def _as_opened(root: Path) -> HomeChoice:
    from tui.controls.home_list import HomeList
    from tui.screens.home import HomeChoice

    return HomeChoice(home=HomeList(place=str(root)))


def _sources(root: Path) -> HomeSources:
    from sessions.summary.digest import digest
    from telemetry.local_servers import ServerWatch
    from tui.screens.home import HomeSources

    watch = ServerWatch()

    def sessions() -> list[Path]:
        with suppress(CommandError):  # of one that cannot be listed any more there are none
            return listed("sessions", root)
        return []

    def look(tell: Tell) -> None:
        with_their_gpus(watch.look(), (), tell)

    def look_again(known: Sequence[LocalServer], tell: Tell) -> None:
        with_their_gpus(watch.look_again(), known, tell)

    def course_of(directory: Path) -> Course | None:
        from sessions.frame.course import course  # numpy: not before somebody looks

        return course(directory)

    return HomeSources(sessions, digest, look, checked, look_again, course_of)


def with_their_gpus(found: Sequence[LocalServer], known: Sequence[LocalServer], tell: Tell) -> None:
    """Tells of the servers that were found; a second time with their GPUs, where NVML says which. Nothing
    where they are those that are `known`."""
    from telemetry.local_servers import gpus_by_pid, with_gpus

    before = {one._replace(gpus=()): one for one in known}
    if known and [one for one in found if one not in before] == [] and len(found) == len(known):
        return
    tell([before.get(one, one) for one in found])
    if any(one not in before for one in found) and (by_pid := gpus_by_pid()):
        tell(with_gpus(found, by_pid))
