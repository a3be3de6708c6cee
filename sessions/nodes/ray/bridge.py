"""The only process that imports ray: orders in on its stdin, answers out on what was its stdout, in frames.

Ray prints on stdout whatever it likes, and may hang or die with a head: here that harms nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import traceback
from collections.abc import Callable
from typing import Any

from loadgen.errors import printable
from sessions.nodes.frames import Frames, framed
from sessions.nodes.messages import ClockAnswer, ClockQuestion
from sessions.nodes.messages import encode as encode_message
from sessions.nodes.ray.cluster import (
    ANSWER_S,
    Cluster,
    ClusterRefused,
    chosen,
    head_address,
    prepare_environment,
    probe,
)
from sessions.nodes.ray.words import (
    Close,
    Closed,
    Exchange,
    Exchanged,
    FromBridge,
    Lost,
    Open,
    Opened,
    Refused,
    ToBridge,
    decode_order,
    encode,
)

_PART_BYTES = 80_000
"""Ray sends an argument of up to 100 KB within the call, and takes its object store for more: an order may
bear the API key, and is to be in no store."""
_AGAIN_S = 0.25
_CLOCK_QUESTION = encode_message(ClockQuestion())


class Node:
    """One actor, asked by numbers, so that asking again is safe."""

    def __init__(self, relay: Any) -> None:
        self._relay = relay
        self._number = 0
        self._open: set[int] = set()

    async def exchange(self, payload: bytes, timeout_s: float) -> FromBridge | None:
        """The answer, or what ended the node; None: none within `timeout_s`."""
        if payload == _CLOCK_QUESTION:
            t_ns = await self._call(self._relay.clock.remote, timeout_s)
            return Exchanged(encode_message(ClockAnswer(t_ns))) if isinstance(t_ns, int) else t_ns
        parts = [payload[at : at + _PART_BYTES] for at in range(0, len(payload), _PART_BYTES)]
        number, self._number = self._number, self._number + 1
        self._open.add(number)
        try:

            def ask() -> Any:
                return self._relay.exchange.remote(number, min(self._open), timeout_s, *parts)

            answer = await self._call(ask, timeout_s)
        finally:
            self._open.discard(number)
        if isinstance(answer, bytes):
            return Exchanged(answer)
        return Lost(answer) if isinstance(answer, str) and answer else None if answer == "" else answer

    async def close(self) -> None:
        await self._call(self._relay.leave.remote, 3.0)

    async def _call(self, call: Callable[[], Any], timeout_s: float) -> Any:
        """What the actor answers, `Lost`, or None after `timeout_s`. Asks again while it is out of reach."""
        import ray

        loop = asyncio.get_running_loop()
        end_s = loop.time() + timeout_s
        while (left_s := end_s - loop.time()) > 0:
            try:
                answering = asyncio.wrap_future(call().future())
                done, _ = await asyncio.wait({answering}, timeout=left_s)
                return answering.result() if done else None
            except ray.exceptions.RayActorError as error:
                if not isinstance(error, getattr(ray.exceptions, "ActorUnavailableError", ())):
                    return Lost(_said(error))
                await asyncio.sleep(_AGAIN_S)
            except ray.exceptions.RayError as error:
                return Lost(_said(error))
        return None


class Bridge:
    """One cluster, from the order to open it to the end of our stdin."""

    def __init__(self, answers: int) -> None:
        self._answers = answers
        self._cluster: Cluster | None = None
        self._nodes: list[Node] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, orders: asyncio.StreamReader) -> None:
        frames = Frames()
        while data := await orders.read(1 << 16):
            for number, payload in frames.feed(data):
                # A task begins in the order in which it was made, and hands its question to Ray at once.
                task = asyncio.ensure_future(self._obey(number, decode_order(payload)))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def leave(self) -> None:
        await asyncio.gather(*(node.close() for node in self._nodes), return_exceptions=True)
        if self._cluster is not None:
            await asyncio.wait_for(_in_thread(self._cluster.leave), 5.0)

    async def _obey(self, number: int, order: ToBridge) -> None:
        try:
            answer = await self._answer(order)
        except Exception as error:  # silence would be waited for; where it was stands in our log
            traceback.print_tb(error.__traceback__)
            what = type(error).__name__
            if isinstance(order, Open):
                why = printable(f"{what}: {next(iter(str(error).splitlines()), '')}", 80)
                where = f"the Ray cluster at {printable(order.address, 60)}"
                answer = Refused(f"{where} cannot be used ({why}); need one that works (ray status)")
            else:  # without its text, which might bear what was asked: the API key
                answer = Lost(f"Ray cannot be asked ({what}); need a cluster that works (ray status)")
        if answer is not None:
            self._say(framed(number, encode(answer)))

    async def _answer(self, order: ToBridge) -> FromBridge | None:
        if isinstance(order, Open):
            return await self._open(order)
        if isinstance(order, Exchange):
            return await self._nodes[order.node].exchange(order.payload, order.timeout_s)
        assert isinstance(order, Close)
        await self._nodes[order.node].close()
        return Closed()

    def _say(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._answers, rest) :]

    async def _open(self, order: Open) -> FromBridge:
        environment = dict(os.environ)
        prepare_environment(environment)
        os.environ.update(environment)
        try:
            address = head_address(order.address, environment)
            await _in_thread(lambda: probe(address))
            cluster = self._cluster = await _within(ANSWER_S, lambda: Cluster(address), address)
            nodes = chosen(order.nodes, await _in_thread(cluster.alive))
            relays = [await _in_thread(lambda node=node: cluster.start(node)) for _, node in nodes]  # type: ignore[misc]
            found = await asyncio.gather(
                *(
                    _in_thread(lambda n=name, o=node, r=relay: cluster.begin(o, n, r))  # type: ignore[misc]
                    for (name, node), relay in zip(nodes, relays, strict=True)
                )
            )
        except ClusterRefused as refused:
            return Refused(str(refused))
        self._nodes = [Node(relay) for relay in relays]
        return Opened(found)


async def _in_thread(do: Callable[[], Any]) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, do)


async def _within(seconds: float, do: Callable[[], Any], address: str) -> Any:
    """Raises:
    ClusterRefused: it takes longer. What goes on in its thread ends with this process.
    """
    try:
        return await asyncio.wait_for(_in_thread(do), seconds)
    except asyncio.TimeoutError:
        raise ClusterRefused(
            f"the Ray cluster at {address} did not take us in within {seconds:g} s: is this machine a node "
            "of it (else: ray start --address ... --num-cpus 0), is its head alive (ray status), is its "
            "token in ~/.ray/auth_token?"
        ) from None


def _said(error: Exception) -> str:
    """The cause, which Ray tells below a first line that is always the same."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [line for line in lines[1:] if line.startswith("The actor")]
    said = next(iter(causes or lines), type(error).__name__)
    if any("heartbeat" in line or "health check" in line for line in lines):
        more = "set RAY_health_check_failure_threshold=30 at the head's start"
        return f"Ray heard nothing of it for too long; {more}"
    return f"Ray says: {printable(said.partition(' Node Id:')[0].rstrip('.'), 100)}; see ray status there"


async def _serve(orders: int, answers: int) -> None:
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(orders, "rb", buffering=0)
    )
    bridge = Bridge(answers)
    with contextlib.suppress(BrokenPipeError):
        await bridge.run(reader)
    with contextlib.suppress(asyncio.TimeoutError):
        await bridge.leave()
    os._exit(0)  # the loop would wait for a thread that Ray keeps in `init`, for a dead head


def main() -> None:
    # Before anything else is imported that might print: from here on descriptor 1 is our log.
    orders, answers = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    asyncio.run(_serve(orders, answers))


if __name__ == "__main__":
    main()
