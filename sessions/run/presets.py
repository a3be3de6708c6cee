"""What requests of a live run may ask for at the press of a key: one preset after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadgen.workload.spec import WorkloadSpec
from sessions.plan.config import RunConfig, WorkloadConfig
from sessions.plan.mix import AS_ASKED
from sessions.run.asking import preset_workload, presets_of
from sessions.run.commands import CommandError

if TYPE_CHECKING:
    from sessions.run.preflight import Preflight


class Presets:
    """The presets of a run, and which of them is in force: a circle from `AS_ASKED` to it."""

    def __init__(self, config: RunConfig, found: Preflight) -> None:
        self._asking, self._context = found.asking, found.probed.capabilities.context_tokens
        self._known: dict[str, WorkloadConfig] = {AS_ASKED: config.workload}
        for part in presets_of(config):
            self._known[part.name] = preset_workload(config.workload, part)
        self._now = AS_ASKED

    def chosen(self, name: str) -> tuple[str, WorkloadSpec]:
        """The name and the requests of a preset, which is in force from then on; empty: the next that fits
        into the model's context.

        Raises:
            CommandError: there is none of that name, or it does not fit.
        """
        if name and name not in self._known:
            raise CommandError(f"workload: got {name[:40]!r}, need one of {', '.join(self._known)}")
        if name and not self._fits(name):
            tokens = sum(self._known[name].longest)
            raise CommandError(
                f"{name}: {tokens:,} tokens do not fit into the context of {self._context:,}; need another"
            )
        names = list(self._known)
        if not name:
            at = names.index(self._now)
            following = [*names[at + 1 :], *names[: at + 1]]
            name = next(each for each in following if each == self._now or self._fits(each))
        self._now = name
        return name, self._asking.spec(self._known[name])

    def _fits(self, name: str) -> bool:
        return name == AS_ASKED or self._context is None or sum(self._known[name].longest) <= self._context
