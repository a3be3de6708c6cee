"""The load workers of a run, here or on nodes: made, and held against the load that they are to put on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sessions.plan.config import NodesConfig, RunConfig
from sessions.plan.loads import loads_of
from sessions.plan.roles import roles_of
from sessions.run.asking import PromptFiles
from sessions.run.client_limits import refusal, this_machine, warnings
from sessions.run.short_stages import short_stages
from sessions.run.worker_configs import need_here, planned_client, spread_of
from sessions.store.records import AnyRecord
from sessions.worker.pipes import Status
from sessions.worker.processes import WorkerProcesses
from sessions.worker.states import Workers

if TYPE_CHECKING:
    from sessions.nodes.workers import NodeWorkers, Opened
    from sessions.run.preflight import Preflight


class LoadRefused(Exception):
    """This machine cannot put on the load: one line."""


class LostNode(NamedTuple):
    name: str
    why: str
    place: str
    """Where it keeps what it measured."""
    workers: list[int]


class Heard(NamedTuple):
    """What the supervisor is told of its workers."""

    said: Callable[[int, Status], None]
    exited: Callable[[int, int], None]
    refused: Callable[[str], None]
    """There are no such workers: one line."""
    node_lost: Callable[[LostNode], None]
    note: Callable[[str, str], None]
    append: Callable[[AnyRecord], None]
    """To the session."""


class LoadWorkers(NamedTuple):
    workers: Workers
    client: Callable[[], dict[str, Any]]
    """The manifest's `client`; of nodes once they are ready."""
    check: Callable[[Preflight], list[str]]
    """What may run short, one line each.

    Raises:
        LoadRefused: the load cannot be.
    """


def load_workers_of(
    config: RunConfig, directory: Path, heard: Heard, origin_ns: int, *, debug: bool
) -> LoadWorkers:
    """Nothing is started yet."""
    if config.nodes is not None:
        return _on_nodes(config, config.nodes, directory, heard, origin_ns, debug=debug)
    client = planned_client(config)
    workers = WorkerProcesses(directory, client["workers"], heard.said, heard.exited, debug=debug)
    return LoadWorkers(workers, lambda: client, lambda found: _check_here(config, found, workers.count))


def _check_here(config: RunConfig, found: Preflight, workers: int) -> list[str]:
    machine = this_machine()
    noted: set[str] = set()
    for where, load, _ in loads_of(config):
        need = need_here(load, found.probed, spread_of(found), workers)
        if word := refusal(load, need, machine):
            raise LoadRefused(f"{where}{word}")
        noted.update(f"{where}{text}" for text in warnings(need, machine)[: not noted])
    return sorted({*noted, *_short(config, found)})


def _short(config: RunConfig, found: Preflight) -> list[str]:
    warning = short_stages(config, found.probed.warm_ups)
    return [warning] if warning else []


def _on_nodes(
    config: RunConfig, asked: NodesConfig, directory: Path, heard: Heard, origin_ns: int, *, debug: bool
) -> LoadWorkers:
    # Runs on this machine alone load nothing of it.
    from loadgen.target.url import parse_target
    from sessions.nodes.placement import placed, planned
    from sessions.nodes.telemetry import words_for_nodes
    from sessions.nodes.workers import NodesToldOf, NodeWorkers, Watched

    loads = [(load, tokens) for _, load, tokens in loads_of(config)]
    told = NodesToldOf(
        heard.said,
        heard.exited,
        lambda node: heard.node_lost(LostNode(node.name, node.why_lost, node.place, list(node.workers))),
        heard.refused,
        heard.note,
        heard.append,
    )
    target = config.target
    workers = NodeWorkers(
        directory,
        lambda: _opened(asked),
        lambda offers: placed(loads, offers),
        parse_target(target.url, proxy=target.proxy, path=target.path).hop,
        told,
        Watched(origin_ns, words_for_nodes(config.telemetry), target.url, roles_of(config.roles)),
        named=bool(asked.words),
        debug=debug,
    )

    def client() -> dict[str, Any]:
        if not workers.count:
            return {}
        return {**planned(loads, workers.offers, workers.count), "nodes": node_table(workers)}

    return LoadWorkers(workers, client, lambda found: _short(config, found))


async def _opened(asked: NodesConfig) -> Opened:
    if asked.ray:
        from sessions.nodes.ray.launcher import open_ray

        return await open_ray(asked.ray, asked.words)
    from sessions.nodes.launchers import open_nodes

    return await open_nodes(asked)


def node_table(workers: NodeWorkers) -> list[dict[str, Any]]:
    """What runs where, for the manifest."""
    return [
        {
            "name": node.name,
            "host": node.hello.host,
            "workers": node.workers,
            "cores": node.hello.cores,
            "python": node.hello.python,
            "ttftop_version": node.hello.ttftop_version,
            "directory": node.hello.directory,
            "clock_within_ns": max(node.clock.widest_ns, node.clock.within_ns),
            "clock_offset_ns": node.clock.offset_ns,
            "clock_drift_ppm": node.clock.clock.drift_ppm,
            "clock_drift_within_ppm": node.clock.clock.drift_within_ppm,
            "round_trip_ns": node.slow_round_trip_ns,
        }
        for node in workers.nodes
    ]


def files_of(config: RunConfig, prompts: PromptFiles) -> Iterator[str]:
    """Files that load workers read: their paths here."""
    target = config.target
    for path in (target.ca_file, target.cert_file, target.cert_key_file):
        if path is not None:
            yield path
    for packed in prompts.packed.values():
        yield packed.path
    plan = config.plan
    for load in (config.load, *(() if plan is None else plan.stages)):
        if load.trace is not None:
            yield load.trace.compiled
