"""What a request asks for, and what every workload can be asked.

No prompt is made here: `loadgen.workload.workloads` has what makes them, one row per kind.
"""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

import msgspec

from loadgen.endpoints.prompt import Prompt
from loadgen.records import Request
from loadgen.workload.draws import turns_of
from loadgen.workload.lengths import Lengths
from loadgen.workload.prefixes import Prefixes
from loadgen.workload.template import RequestTemplate


class PromptSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """A random prompt of exact length, made without a tokenizer (`loadgen.workload.synthetic_prompt`)."""

    form: Literal["ids", "text"]
    tokens: int
    """That the server should count, unless a request asks for another length."""
    vocab_low: int = 1000
    vocab_high: int = 20000
    """For `ids`: token ids are drawn from `[vocab_low, vocab_high)`."""
    words: list[str] = msgspec.field(default_factory=list)
    """For `text`: words that were each seen to add exactly one token."""
    overhead_tokens: int = 0
    """Tokens that the server adds to ids or words: for its chat template, say, or as a first one."""


class SyntheticWorkload(msgspec.Struct, frozen=True, tag="synthetic", omit_defaults=True):
    """Random prompts, their lengths and those asked of the answers drawn for each."""

    prompt: PromptSpec
    input: Lengths
    """Behind the shared prefix, where there is one."""
    output: Lengths
    prefix: Prefixes | None = None
    """None: no two prompts begin alike."""
    prompt_seed: int | None = None
    """Prompts follow from it, in every run alike, and those of a member of a group are the same each time;
    None: from the run's seed, and each is new."""


class TraceWorkload(msgspec.Struct, frozen=True, tag="trace", omit_defaults=True):
    """Prompts and answers as long as those of a trace (`loadgen.workload.trace`)."""

    prompt: PromptSpec
    path: str
    """Of the compiled trace (`loadgen.trace.compiled`)."""


class ConversationWorkload(msgspec.Struct, frozen=True, tag="conversation", omit_defaults=True):
    """Conversations that carry their history (`loadgen.workload.conversation`)."""

    prompt: PromptSpec
    """Of words: what the server answers is text as well."""
    input: Lengths
    """Of what the person says in each turn."""
    output: Lengths
    turns: Lengths
    seed: int
    """Of turns: the load is told the same."""
    chat: bool
    """Asked as messages; else as one text."""
    system_tokens: int = 0
    """Of a system prompt that all conversations share."""

    def turns_of(self, conversation: int) -> int:
        """How many turns conversation number `conversation` has, at least 1."""
        return turns_of(conversation, self.turns, self.seed)


class FileWorkload(msgspec.Struct, frozen=True, tag="file", omit_defaults=True):
    """Prompts from a file that was packed for the run (`loadgen.workload.prompt_pack`)."""

    path: str
    prompt: PromptSpec
    """For those of which the file has the length alone."""
    output: Lengths
    """Where the file does not say one."""
    shuffled: bool = False
    """In an order of the seed, another in each round; else in that of the file."""
    salted: bool = False
    """Each begins with a random word of its own, so that no cache knows it."""


class WeightedPart(msgspec.Struct, frozen=True, omit_defaults=True):
    """One kind of request of a mix."""

    name: str
    """The tag of its requests; empty: they have none."""
    weight: float
    workload: SyntheticWorkload | FileWorkload
    template: RequestTemplate | None = None
    """What stands around its prompts; None: as around those of the run."""


class MixWorkload(msgspec.Struct, frozen=True, tag="mix", omit_defaults=True):
    """Several kinds beside each other."""

    parts: list[WeightedPart]


WorkloadSpec: TypeAlias = (
    SyntheticWorkload | FileWorkload | MixWorkload | TraceWorkload | ConversationWorkload
)
"""What a worker may be told to ask for."""


class RequestSpec(msgspec.Struct, frozen=True):
    """What one request asks for. Its record keeps all of this but the prompt."""

    prompt: Prompt
    input_tokens: int | None
    """Tokens that the server should count in the prompt; None: its own text, which nobody here counted."""
    output_tokens: int
    """Tokens that it may answer with at the most, and should where it can be made to."""
    conversation: int | None = None
    """Number of the conversation that it belongs to; None: it stands alone."""
    turn: int | None = None
    """Its place in the conversation, from 0; None where there is no conversation."""
    tags: tuple[str, ...] = ()
    """Words by which its record can be told from others."""
    prefix_group: int | None = None
    """Number of the group whose prefix it begins with; None: it begins like no other."""
    prefix_tokens: int | None = None
    """So many tokens are that prefix."""
    prompt_number: int | None = None
    """Number of its prompt among those that come again; None: it comes once."""
    template: RequestTemplate | None = None
    """What stands around its prompt, in place of the run's."""


class Workload(Protocol):
    """What each request asks for, by its index: the same in every process for the same seed."""

    @property
    def needs_text(self) -> bool:
        """`answered` wants the text of answers, which is thrown away as it comes unless this is true."""

    def spec(self, index: int) -> RequestSpec:
        """What request number `index` asks for. Called before it is due; where `needs_text`, when it is."""

    def answered(self, request: Request, text: str) -> None:
        """A request ended, well or not, or was given up unsent, with so much text; reasoning and tool calls
        are left out.

        Called only where `needs_text`, before the load model hears of the end.
        """
