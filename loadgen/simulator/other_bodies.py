"""Bodies of the protocols beside OpenAI's completions and chat, each as one of these two: the engine is asked
the same."""

from __future__ import annotations

import msgspec

from loadgen.simulator.requests import ChatBody, CompletionBody, Message, SamplingFields

Asked = CompletionBody | ChatBody


class ResponsesBody(SamplingFields, kw_only=True):
    """`POST /v1/responses`."""

    input: str | list[Message]
    max_output_tokens: int | None = None

    def asked(self) -> Asked:
        messages = [Message("user", self.input)] if isinstance(self.input, str) else self.input
        return _chat(self, messages, self.max_output_tokens)


class MessagesBody(SamplingFields, kw_only=True):
    """`POST /v1/messages`. As in vLLM, `ignore_eos` is read and not heeded."""

    messages: list[Message]
    max_tokens: int
    system: str | None = None

    def asked(self) -> Asked:
        system = [] if self.system is None else [Message("system", self.system)]
        body = _chat(self, [*system, *self.messages], self.max_tokens)
        return msgspec.structs.replace(body, ignore_eos=False, min_tokens=0)


class TgiParameters(msgspec.Struct, kw_only=True):
    max_new_tokens: int | None = None
    seed: int | None = None


class TgiBody(msgspec.Struct, kw_only=True):
    """`POST /generate_stream`."""

    inputs: str
    parameters: TgiParameters = msgspec.field(default_factory=TgiParameters)
    model: None = None

    def asked(self) -> Asked:
        wanted = self.parameters
        return CompletionBody(
            prompt=self.inputs, max_tokens=wanted.max_new_tokens, seed=wanted.seed, stream=True
        )


class OllamaOptions(msgspec.Struct, kw_only=True):
    num_predict: int | None = None
    seed: int | None = None


class OllamaGenerateBody(msgspec.Struct, kw_only=True):
    """`POST /api/generate`."""

    model: str
    prompt: str
    stream: bool | None = None
    options: OllamaOptions = msgspec.field(default_factory=OllamaOptions)

    def asked(self) -> Asked:
        return CompletionBody(
            prompt=self.prompt,
            max_tokens=self.options.num_predict,
            seed=self.options.seed,
            stream=self.stream is not False,
        )


class OllamaChatBody(msgspec.Struct, kw_only=True):
    """`POST /api/chat`."""

    model: str
    messages: list[Message]
    stream: bool | None = None
    options: OllamaOptions = msgspec.field(default_factory=OllamaOptions)

    def asked(self) -> Asked:
        return ChatBody(
            messages=self.messages,
            max_tokens=self.options.num_predict,
            seed=self.options.seed,
            stream=self.stream is not False,
        )


class LlamaCppBody(SamplingFields, kw_only=True):
    """`POST /completion`."""

    prompt: str | list[str | int | list[int]]
    n_predict: int = -1

    def asked(self) -> Asked:
        return CompletionBody(
            prompt=self.prompt,
            max_tokens=None if self.n_predict < 0 else self.n_predict,
            ignore_eos=self.ignore_eos,
            seed=self.seed,
            stream=self.stream,
        )


class EmbeddingsBody(msgspec.Struct, kw_only=True):
    """`POST /v1/embeddings`: one step of the engine, as long as a prefill."""

    model: str | None = None
    input: str | list[str | int | list[int]]

    def asked(self) -> Asked:
        return CompletionBody(prompt=self.input, max_tokens=1, ignore_eos=True)


def _chat(body: SamplingFields, messages: list[Message], max_tokens: int | None) -> ChatBody:
    return ChatBody(
        messages=messages,
        max_tokens=max_tokens,
        ignore_eos=body.ignore_eos,
        seed=body.seed,
        stream=body.stream,
    )
