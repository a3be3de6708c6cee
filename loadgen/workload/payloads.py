"""Requests as bytes, made ahead so that nothing but a write stands between due and sent."""

from __future__ import annotations

from loadgen.endpoints import ENDPOINTS
from loadgen.worker_config import WorkerConfig
from loadgen.workload.synthetic import prompt


class Payloads:
    """Each request of a plan by its index: request line, headers and body."""

    def __init__(self, plan: WorkerConfig) -> None:
        self._plan = plan
        self._body = ENDPOINTS[plan.template.endpoint].body
        lines = [f"POST {plan.template.path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in plan.template.headers]
        self._head = ("\r\n".join(lines) + "\r\ncontent-length: ").encode("latin-1")
        self._ahead: tuple[int, bytes] | None = None

    def prepare(self, index: int) -> None:
        """Makes one ahead."""
        if self._ahead is None or self._ahead[0] != index:
            self._ahead = (index, self._made(index))

    def take(self, index: int) -> bytes:
        """The bytes of one, made now if they were not made ahead."""
        if self._ahead is not None and self._ahead[0] == index:
            made, self._ahead = self._ahead[1], None
            return made
        return self._made(index)

    def _made(self, index: int) -> bytes:
        plan = self._plan
        body = self._body(
            plan.template.fields,
            prompt(plan.prompt, plan.seed, index),
            plan.template.max_tokens_field,
            plan.output_tokens,
        )
        return b"%s%d\r\n\r\n%s" % (self._head, len(body), body)
