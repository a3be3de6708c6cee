"""Requests in flight, made of what is due and of what a workload asks."""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.endpoint_names import EndpointName
from loadgen.endpoints import Endpoint, as_seen
from loadgen.endpoints.sse import HeldBytes
from loadgen.records import Request, RequestError
from loadgen.target.redaction import redactor_of
from loadgen.worker.counters import Counters
from loadgen.worker.in_flight import InFlightRequest
from loadgen.worker.request_owner import RequestOwner
from loadgen.worker_config import WorkerConfig, all_headers
from loadgen.workload.payloads import Payloads
from loadgen.workload.template import RequestTemplate


class RequestMaker:
    """What all requests of a worker share."""

    def __init__(
        self,
        config: WorkerConfig,
        endpoint: Endpoint,
        counters: Sequence[Counters],
        owner: RequestOwner,
        held: HeldBytes,
    ) -> None:
        """`counters`: of the targets, by number; `held`: what the streams of all have begun and not ended."""
        self._config, self._endpoint, self._counters, self._owner = config, endpoint, counters, owner
        self._several = len(counters) > 1
        self._redactor, self._held = redactor_of(all_headers(config)), held
        self._endpoints: dict[tuple[EndpointName, bool, bool], Endpoint] = {}

    def unsent(self, index: int, now_ns: int) -> Request:
        """What stands for one that was given up before any of it was sent; no record of the run."""
        return Request(index, self._config.worker, now_ns, error=RequestError("unfinished"))

    def make(
        self, index: int, due_ns: int, target: int, payloads: Payloads, *, needs_text: bool, waited: bool
    ) -> InFlightRequest:
        """Request number `index` to `target`, not sent yet. `waited`: for room, since the cap was reached."""
        config = self._config
        spec, payload = payloads.take(index)
        record = Request(
            index=index,
            worker=config.worker,
            due_ns=due_ns,
            asked_input_tokens=spec.input_tokens,
            asked_output_tokens=spec.output_tokens,
            conversation=spec.conversation,
            turn=spec.turn,
            tags=spec.tags,
            prefix_group=spec.prefix_group,
            prefix_tokens=spec.prefix_tokens,
            prompt_number=spec.prompt_number,
            target=target if self._several else None,
        )
        endpoint = self._endpoint if spec.template is None else self._endpoint_of(spec.template)
        return InFlightRequest(
            record,
            payload,
            endpoint,
            self._counters[target],
            self._owner,
            redactor=self._redactor,
            chunk_counts=config.chunk_counts,
            one_token_chunks=config.one_token_chunks,
            needs_text=needs_text,
            waited_for_cap=waited,
            held=self._held,
            batched=endpoint.path == self._endpoint.path,
        )

    def _endpoint_of(self, template: RequestTemplate) -> Endpoint:
        """How answers to a request of another template than the run's are read."""
        key = template.endpoint, template.line_events, template.index_counts
        if key not in self._endpoints:
            self._endpoints[key] = as_seen(key[0], line_events=key[1], index_counts=key[2])
        return self._endpoints[key]
