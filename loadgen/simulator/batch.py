"""The simulated engine as values: continuous batching over a paged KV cache. Time is passed in.

One step at a time: `begin` decides who computes what and how long that takes, `finish` says who gained a
token. The rules are those of vLLM's V1 scheduler: sequences that run come first, in the order they were
admitted; what is left of the token budget goes to the waiting queue; a prompt longer than the budget is
computed in chunks; when a running sequence needs a block and none is free, the one admitted last gives up
its blocks, returns to the head of the queue and later computes everything it knows again. Blocks that the
cache knows already (`loadgen.simulator.prefix_cache`) are not computed again.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from loadgen.simulator.prefix_cache import KvBlocks


class TooLong(ValueError):
    """The request could never be served: one line with what was asked and what fits."""


@dataclass(frozen=True)
class Costs:
    """What a step takes, milliseconds. A step that does both prefill and decode takes the sum."""

    prefill_fixed_ms: float
    """Once a step that computes any prompt token."""
    prefill_ms_per_token: float
    decode_base_ms: float
    """Once a step that decodes for any sequence."""
    decode_ms_per_sequence: float
    decode_ms_per_kv_token: float
    """Per token of context that the decoding sequences attend to."""
    step_ms: float = 0.0
    """Once every step, whatever it computes."""


@dataclass(frozen=True)
class Limits:
    max_sequences: int
    """Sequences that may run at once."""
    max_batched_tokens: int
    """Tokens computed in one step, prompt and decode together."""
    block_tokens: int
    blocks: int
    context_tokens: int
    """Prompt and output of one request together."""
    reserves_output: bool = False
    """A request is admitted only when there is room for its whole output too, and never preempted:
    TensorRT-LLM's way (GUARANTEED_NO_EVICT), where vLLM takes blocks as they are needed."""
    prefill_first: bool = False
    """Nothing is decoded in a step that computes a prompt: vLLM's V0 scheduler without chunked prefill."""

    @property
    def kv_tokens(self) -> int:
        return self.blocks * self.block_tokens

    def check(self, prompt_tokens: int, max_output_tokens: int) -> None:
        """Raises:
        TooLong: the request exceeds the context, or would not fit in an empty KV cache.
        """
        total = prompt_tokens + max_output_tokens
        if total > self.context_tokens:
            raise TooLong(
                f"This model's maximum context length is {self.context_tokens} tokens. However, you "
                f"requested {max_output_tokens} output tokens and your prompt contains {prompt_tokens} input "
                f"tokens, for a total of {total} tokens. Please reduce the length of the input prompt or the "
                "number of requested output tokens."
            )
        # The last token is returned, never attended to: it needs no room.
        if total - 1 > self.kv_tokens:
            raise TooLong(f"The KV cache holds {self.kv_tokens} tokens; this request needs {total - 1}.")


@dataclass(eq=False)
class Sequence:
    """One request in the engine. The caller reads it; only `Batch` writes it."""

    prompt_tokens: int
    output_tokens: int
    """Tokens it will generate before it ends."""
    arrived_ns: int
    scheduled_ns: int | None = None
    """When the first step began that computed any of it; None while it waits for that."""
    first_token_ns: int | None = None
    """The end of the step that made its first token."""
    state: Literal["waiting", "running", "ended", "cancelled"] = "waiting"
    generated: int = 0
    computed: int = 0
    """Tokens whose keys and values are in the cache."""
    prefill_until: int = 0
    """While `computed` is below this, its work is prefill."""
    blocks: int = 0
    preemptions: int = 0
    block_hashes: tuple[int, ...] | None = None
    """Of its full blocks, prompt first; None: it shares none with anybody."""
    cached_tokens: int = 0
    """Of its prompt, when it was first admitted."""
    held: list[int] = field(default_factory=list)
    """Hashes of those of its blocks that the cache knows."""
    published: int = 0
    """Its full blocks of which the cache has been told."""

    @property
    def prefills(self) -> bool:
        """Its next step computes prompt, or what it lost."""
        return self.computed < self.prefill_until

    @property
    def known(self) -> int:
        """Tokens that exist: the prompt and what was generated."""
        return self.prompt_tokens + self.generated


@dataclass(frozen=True)
class Step:
    """What the GPU does from `start_ns` to `end_ns`."""

    start_ns: int
    end_ns: int
    work: tuple[tuple[Sequence, int], ...]
    """Each sequence with the number of its tokens computed in this step."""
    prefill_tokens: int
    decodes: int
    """Sequences that decode one token."""
    prefill_share: float
    """Share of the step's time that goes to prefill, 0 to 1."""


class Batch:
    """The engine's state. `begin` and `finish` alternate; `submit` and `cancel` may come in between."""

    def __init__(self, costs: Costs, limits: Limits) -> None:
        self.costs, self.limits = costs, limits
        self.running: list[Sequence] = []
        self.waiting: deque[Sequence] = deque()
        self._kv = KvBlocks(limits.blocks)
        self.preemptions = 0
        self.prefix_queried_tokens = 0
        """Of prompts looked up in the prefix cache."""
        self.prefix_hit_tokens = 0

    @property
    def free_blocks(self) -> int:
        """Blocks that no sequence holds, those among them that are still known as a prefix."""
        return self._kv.free

    @property
    def kv_usage(self) -> float:
        """Share of the KV cache's blocks in use, 0 to 1."""
        return 1 - self.free_blocks / self.limits.blocks

    @property
    def kv_tokens(self) -> int:
        """Tokens that the blocks in use can hold."""
        return (self.limits.blocks - self.free_blocks) * self.limits.block_tokens

    def submit(
        self, prompt_tokens: int, output_tokens: int, now_ns: int, block_hashes: tuple[int, ...] | None = None
    ) -> Sequence:
        """Queues a request of at least one prompt and one output token.

        `block_hashes`: of its full blocks (`prefix_cache.block_hashes`), the prompt's and the output's; None
        where nothing is to be shared.

        Raises:
            TooLong: see `Limits.check`.
        """
        if prompt_tokens < 1 or output_tokens < 1:
            raise ValueError(
                f"need at least 1 prompt and 1 output token, got {prompt_tokens} and {output_tokens}"
            )
        self.limits.check(prompt_tokens, output_tokens)
        sequence = Sequence(prompt_tokens, output_tokens, now_ns, block_hashes=block_hashes)
        self.waiting.append(sequence)
        return sequence

    def cancel(self, sequence: Sequence) -> None:
        """Forgets a sequence and frees its blocks at once; one that has ended is left alone."""
        if sequence.state == "waiting":
            self.waiting.remove(sequence)
        elif sequence.state == "running":
            self.running.remove(sequence)
        else:
            return
        self._release(sequence)
        sequence.state = "cancelled"

    def begin(self, now_ns: int) -> Step | None:
        """The step that starts at `now_ns`, or None when there is nothing to do then.

        Sequences that arrived after `now_ns` wait for a later step.
        """
        work: list[tuple[Sequence, int]] = []
        budget = self.limits.max_batched_tokens
        preemptions_before = self.preemptions
        position = 0
        while position < len(self.running) and budget > 0:
            sequence = self.running[position]
            tokens = min(sequence.known - sequence.computed, budget)
            if not self._make_room(sequence, sequence.computed + tokens):
                break
            work.append((sequence, tokens))
            budget -= tokens
            position += 1
        # Admitting in a step that had to preempt would hand the freed blocks straight to the next victim.
        if self.preemptions == preemptions_before:
            self._admit(work, budget, now_ns)
        if self.limits.prefill_first:
            prefills = [(sequence, tokens) for sequence, tokens in work if sequence.prefills]
            work = prefills or work
        return self._timed(work, now_ns) if work else None

    def finish(self, step: Step) -> list[Sequence]:
        """Ends `step`; returns the sequences that gained a token, among them those that are now `ended`."""
        gained = []
        for sequence, tokens in step.work:
            if sequence.state != "running":  # cancelled while the step ran
                continue
            sequence.computed += tokens
            if sequence.block_hashes is not None:
                self._publish(sequence, sequence.block_hashes)
            if sequence.computed < sequence.known:
                continue
            sequence.generated += 1
            if sequence.first_token_ns is None:
                sequence.first_token_ns = step.end_ns
            gained.append(sequence)
            if sequence.generated == sequence.output_tokens:
                self._release(sequence)
                sequence.state = "ended"
        self.running = [sequence for sequence in self.running if sequence.state == "running"]
        return gained

    def _blocks_for(self, tokens: int) -> int:
        return -(-tokens // self.limits.block_tokens)

    def _make_room(self, sequence: Sequence, tokens: int) -> bool:
        """Gives `sequence` blocks for `tokens`, preempting from the end; False when it fell itself."""
        missing = self._blocks_for(tokens) - sequence.blocks
        while missing > self.free_blocks:
            victim = self.running.pop()
            self._release(victim)
            victim.state = "waiting"
            victim.preemptions += 1
            self.preemptions += 1
            self.waiting.appendleft(victim)
            if victim is sequence:
                return False
        if missing > 0:
            self._kv.take(missing)
            sequence.blocks += missing
        return True

    def _admit(self, work: list[tuple[Sequence, int]], budget: int, now_ns: int) -> None:
        while self.waiting and budget > 0 and len(self.running) < self.limits.max_sequences:
            sequence = self.waiting[0]
            if sequence.arrived_ns > now_ns or not self._holds_prefill(sequence):
                return
            self.waiting.popleft()
            self.running.append(sequence)
            sequence.state = "running"
            if sequence.scheduled_ns is None:
                sequence.scheduled_ns = now_ns
            sequence.prefill_until = sequence.known
            tokens = min(sequence.known - sequence.computed, budget)
            work.append((sequence, tokens))
            budget -= tokens

    def _holds_prefill(self, sequence: Sequence) -> bool:
        """Gives a waiting sequence all blocks of its prefill, known ones first; False: there is no room.

        All at once, so that only decoding can run out of them.
        """
        block_tokens = self.limits.block_tokens
        # At least one token is computed: it is what the next one follows from.
        shareable = (sequence.block_hashes or ())[: (sequence.known - 1) // block_tokens]
        known = shareable[: self._kv.known(shareable)]
        needed = sequence.known
        if self.limits.reserves_output:
            needed = sequence.prompt_tokens + sequence.output_tokens - 1
        blocks = self._blocks_for(max(needed, sequence.known))
        if blocks - len(known) + self._kv.idle_among(known) > self._kv.free:
            return False
        self._kv.hold(known)
        self._kv.take(blocks - len(known))
        sequence.blocks = blocks
        sequence.held.extend(known)
        sequence.published = len(known)
        sequence.computed = len(known) * block_tokens
        if sequence.block_hashes is not None and not sequence.preemptions:
            sequence.cached_tokens = sequence.computed
            self.prefix_queried_tokens += sequence.prompt_tokens
            self.prefix_hit_tokens += sequence.computed
        return True

    def _publish(self, sequence: Sequence, hashes: tuple[int, ...]) -> None:
        """Tells the cache of the blocks that are full now."""
        full = min(sequence.computed // self.limits.block_tokens, len(hashes))
        for block in hashes[sequence.published : full]:
            if self._kv.publish(block):
                sequence.held.append(block)
        sequence.published = max(full, sequence.published)

    def _timed(self, work: list[tuple[Sequence, int]], now_ns: int) -> Step:
        prefill_tokens = decodes = kv_tokens = 0
        for sequence, tokens in work:
            if sequence.prefills:
                prefill_tokens += tokens
            else:
                decodes += 1
                kv_tokens += sequence.known
        costs = self.costs
        prefill_ms = decode_ms = 0.0
        if prefill_tokens:
            prefill_ms = costs.prefill_fixed_ms + costs.prefill_ms_per_token * prefill_tokens
        if decodes:
            decode_ms = (
                costs.decode_base_ms
                + costs.decode_ms_per_sequence * decodes
                + costs.decode_ms_per_kv_token * kv_tokens
            )
        if costs.step_ms:  # each has its share of what both need
            shared_ms = costs.step_ms / (2 if prefill_tokens and decodes else 1)
            prefill_ms += shared_ms if prefill_tokens else 0.0
            decode_ms += shared_ms if decodes else 0.0
        total_ms = prefill_ms + decode_ms
        return Step(
            start_ns=now_ns,
            # At least 1 ns: time must move, whatever the costs.
            end_ns=now_ns + max(1, round(total_ms * 1e6)),
            work=tuple(work),
            prefill_tokens=prefill_tokens,
            decodes=decodes,
            prefill_share=prefill_ms / total_ms if total_ms else 0.0,
        )

    def _release(self, sequence: Sequence) -> None:
        self._kv.release(sequence.held, sequence.blocks - len(sequence.held))
        sequence.held.clear()
        sequence.blocks = 0
        sequence.computed = 0
        sequence.published = 0
        sequence.prefill_until = 0
