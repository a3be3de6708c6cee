"""Requests as bytes, made ahead so that nothing but a write stands between due and sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from loadgen.endpoint_names import EndpointName
from loadgen.endpoints import ENDPOINTS
from loadgen.workload.spec import RequestSpec, Workload
from loadgen.workload.template import RequestTemplate, TargetHead

Heads = Mapping[EndpointName, TargetHead]


def to_the_only_one(index: int) -> int:
    return 0


class Payloads:
    """Each request of a workload by its index: what it asks for, and its request line, headers and body."""

    def __init__(
        self,
        template: RequestTemplate,
        workload: Workload,
        heads: Sequence[Heads] = (),
        target_of: Callable[[int], int] = to_the_only_one,
    ) -> None:
        """`heads`: of several targets, what their requests say by endpoint; `target_of`: which of them the
        request of an index goes to."""
        self._template, self._workload, self._heads = template, workload, heads
        self.target_of = target_of
        self._usual = None if heads else _Around(template, None)
        """To the only target, of the run's template."""
        self._around: dict[tuple[int, int], _Around] = {}
        self._ahead: tuple[int, tuple[RequestSpec, bytes]] | None = None

    def prepare(self, index: int) -> None:
        """Makes one ahead, unless what it asks may depend on an answer that is still to come."""
        if not self._workload.needs_text and (self._ahead is None or self._ahead[0] != index):
            self._ahead = index, self._made(index)

    def take(self, index: int) -> tuple[RequestSpec, bytes]:
        """One request, made now if it was not made ahead."""
        if self._ahead is not None and self._ahead[0] == index:
            made, self._ahead = self._ahead[1], None
            return made
        return self._made(index)

    def _made(self, index: int) -> tuple[RequestSpec, bytes]:
        spec = self._workload.spec(index)
        if self._usual is not None and spec.template is None:
            return spec, self._usual.payload(spec)
        template, target = spec.template or self._template, self.target_of(index)
        # By identity: a workload has few templates, and they live as long as it does.
        if (known := self._around.get((id(template), target))) is None:
            head = self._heads[target][template.endpoint] if self._heads else None
            known = self._around[id(template), target] = _Around(template, head)
        return spec, known.payload(spec)


class _Around:
    """What stands around the prompts of one template, to one target."""

    def __init__(self, template: RequestTemplate, head: TargetHead | None) -> None:
        self._template = template
        self._body = ENDPOINTS[template.endpoint].body
        path, headers = (head.path, head.headers) if head is not None else (template.path, template.headers)
        lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        self._first, self._rest = ("\r\n".join(lines) + "\r\n").encode("latin-1"), b"content-length: "
        self._head = self._first + self._rest

    def payload(self, spec: RequestSpec) -> bytes:
        template = self._template
        fields = template.fields
        if template.length_fields:
            fields = {**fields, **dict.fromkeys(template.length_fields, spec.output_tokens)}
        body = self._body(fields, spec.prompt, template.max_tokens_field, spec.output_tokens)
        head = self._head
        if template.conversation_header is not None and spec.conversation is not None:
            value = f"{template.conversation_prefix}{spec.conversation}"
            head = self._first + f"{template.conversation_header}: {value}\r\n".encode("latin-1") + self._rest
        return b"%s%d\r\n\r\n%s" % (head, len(body), body)
