"""What requests of a run ask for, as workers are told it: of what was asked, probed and read from files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from loadgen.endpoint_names import AskedEndpoint
from loadgen.small_file import FileError, read_small
from loadgen.workload.body_fields import parse_body
from loadgen.workload.lengths import Fixed, Lengths
from loadgen.workload.prompt_pack import pack
from loadgen.workload.prompt_source import MOST_BYTES, Kind, PromptFileError, entries
from loadgen.workload.spec import (
    ConversationWorkload,
    FileWorkload,
    MixWorkload,
    PromptSpec,
    SyntheticWorkload,
    TraceWorkload,
    WeightedPart,
    WorkloadSpec,
)
from sessions.plan.config import ConfigError, RunConfig, WorkloadConfig, stage_workload
from sessions.plan.mix import PRESETS, MixPart
from sessions.plan.trace_config import TraceConfig
from sessions.run.conversations import Conversations, conversations_of

if TYPE_CHECKING:
    from loadgen.probe.result import ProbeResult
    from loadgen.workload.template import RequestTemplate

_LIKELY_WORDS = 80
"""More of them are of one token nearly everywhere than not."""
KEPT_SEED = 0
"""Of prompts that are to be in the server's cache from the run before."""


class Packed(NamedTuple):
    """A file of prompts as workers read it."""

    path: str
    kinds: frozenset[Kind]


class Way(NamedTuple):
    """How some requests are to be sent; None: as the run's others."""

    endpoint: AskedEndpoint | None
    model: str | None


def presets_of(config: RunConfig) -> list[MixPart]:
    """What requests may ask for at the press of a key: the run's own parts, then those of every run."""
    own = [*config.workload.mix, *(config.plan.presets if config.plan is not None else ())]
    named = {part.name: part for part in (*PRESETS, *own)}
    return [*(named.pop(part.name) for part in own if part.name in named), *named.values()]


def preset_workload(asked: WorkloadConfig, part: MixPart) -> WorkloadConfig:
    """All requests as those of one part."""
    return msgspec.structs.replace(asked, mix=[part])


class PromptFiles:
    """The files of prompts that a run names, each packed once into its session, private, until `remove`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.packed: dict[str, Packed] = {}
        self._places: list[Path] = []

    def pack(self, config: RunConfig) -> None:
        """Takes seconds where a file is large.

        Raises:
            ConfigError: one cannot be read, or holds what is no prompt.
        """
        for path in dict.fromkeys(own.prompts for _, own in _all_parts(config) if own.prompts):
            place = self._directory / f"prompts-{len(self.packed)}"
            self._places.append(place)
            try:
                kinds = pack(entries(path[-200:], read_small(path, MOST_BYTES).data), place)
            except FileError as error:
                raise ConfigError(f"prompts {path[-200:]}: {error}") from None
            except PromptFileError as error:
                raise ConfigError(str(error)) from None
            except OSError as error:
                raise ConfigError(f"prompts {path[-200:]}: cannot be packed: {error.strerror}") from None
            self.packed[path] = Packed(str(place), frozenset(kinds))

    def remove(self) -> None:
        """They are of no use once the load is over, and nobody else's business."""
        for place in self._places:
            with contextlib.suppress(OSError):  # the session may have been removed, or its disk
                place.unlink()


def ways_of(config: RunConfig, packed: Mapping[str, Packed]) -> list[Way]:
    """The ways in which requests have to be sent, each once, beside that of the run.

    Raises:
        ConfigError: messages were to go to an endpoint that takes text.
    """
    ways = [_way(part, own, packed, config.target.endpoint) for part, own in _all_parts(config)]
    return [way for way in dict.fromkeys(ways) if way != Way(None, None)]


def _way(part: MixPart, own: WorkloadConfig, packed: Mapping[str, Packed], run: AskedEndpoint) -> Way:
    endpoint = part.endpoint
    if own.prompts in packed and Kind.MESSAGES in packed[own.prompts].kinds:
        if "completions" in (endpoint, run if endpoint is None else None):
            raise ConfigError(
                f"prompts {own.prompts[-200:]}: it holds messages, and completions takes text; need chat"
            )
        endpoint = "chat"
    return Way(None if endpoint == run else endpoint, part.model)


def _all_parts(config: RunConfig) -> Iterator[tuple[MixPart, WorkloadConfig]]:
    """Every kind of request that may come in this run, but for the presets."""
    stages = [] if config.plan is None else config.plan.stages
    for asked in [config.workload, *(stage_workload(config.workload, stage) for stage in stages)]:
        yield from asked.parts()
    for part in [] if config.plan is None else config.plan.presets:
        yield from preset_workload(config.workload, part).parts()


def words_of(prompt: PromptSpec) -> PromptSpec:
    """`prompt` in words: likely ones where the server takes ids and nobody looked for words of one token."""
    if prompt.form == "text" and prompt.words:
        return prompt
    from loadgen.probe.one_token_words import CANDIDATES

    return PromptSpec("text", prompt.tokens, words=list(CANDIDATES[:_LIKELY_WORDS]))


class Asking:
    """Makes a `WorkloadSpec` of what is asked."""

    def __init__(
        self,
        config: RunConfig,
        probed: ProbeResult,
        others: Mapping[Way, ProbeResult],
        packed: Mapping[str, Packed],
    ) -> None:
        """`probed`: the run's own way of asking, `others`: further ones."""
        self._config, self._probed, self._others, self._packed = config, probed, others, packed

    def spec(self, asked: WorkloadConfig, trace: TraceConfig | None = None) -> WorkloadSpec:
        """`trace`: what requests are taken from, in place of drawn lengths."""
        if trace is not None:
            return TraceWorkload(self._probed.prompt, trace.compiled)
        if (conversations := conversations_of(asked, self._config.load.seed)) is not None:
            return self._conversations(asked, conversations)
        parts = []
        for number, (part, own) in enumerate(asked.parts()):
            way = _way(part, own, self._packed, self._config.target.endpoint)
            found = self._probed if way == Way(None, None) else self._others[way]
            template = self._template(part, found)
            parts.append(WeightedPart(part.name, part.weight, self._one(own, found, number), template))
        if len(parts) == 1 and parts[0].template is None and not parts[0].name:
            return parts[0].workload
        return MixWorkload(parts)

    def _conversations(self, asked: WorkloadConfig, told: Conversations) -> ConversationWorkload:
        into, out = self._lengths(asked, self._probed)
        return ConversationWorkload(
            words_of(self._probed.prompt),
            into,
            out,
            told.turns,
            told.seed,
            chat=self._probed.template.endpoint == "chat",
            system_tokens=asked.system_tokens,
        )

    def _lengths(self, asked: WorkloadConfig, found: ProbeResult) -> tuple[Lengths, Lengths]:
        into, out = asked.input, asked.output
        if not asked.lengths_given and not self._config.workload.lengths_given:
            # The probe may have cut them to fit the model's context.
            into, out = Fixed(found.prompt.tokens), Fixed(found.output_tokens)
        # Nothing is asked for where answers have no tokens, whatever a person wishes.
        return into, out if found.output_tokens else Fixed(0)

    def _template(self, part: MixPart, found: ProbeResult) -> RequestTemplate | None:
        if found is self._probed and not part.body:
            return None
        fields = {**found.template.fields, **parse_body(part.body)}
        return msgspec.structs.replace(
            found.template, fields={name: value for name, value in fields.items() if value is not None}
        )

    def _one(
        self, asked: WorkloadConfig, found: ProbeResult, number: int
    ) -> SyntheticWorkload | FileWorkload:
        into, out = self._lengths(asked, found)
        if asked.prompts:
            return FileWorkload(
                self._packed[asked.prompts].path,
                found.prompt,
                out,
                shuffled=asked.prompt_order == "shuffled",
                salted=asked.cache == "defeat",
            )
        return SyntheticWorkload(
            found.prompt,
            into,
            out,
            prefix=asked.prefixes,
            prompt_seed=KEPT_SEED + number if asked.cache == "keep" else None,
        )
