"""A name's addresses: tried once before the load, then asked in turn, and left aside while they are dead."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from loadgen.transport.addresses import Addresses, dns_trouble, tried
from loadgen.transport.connection import SocketAddress
from loadgen.transport.rotation import MOST_S, Rotation

ONE, TWO, THREE = "127.0.0.1", "127.0.0.2", "127.0.0.3"


def at(port: int, *ips: str) -> list[SocketAddress]:
    return [(socket.AF_INET6 if ":" in ip else socket.AF_INET, (ip, port)) for ip in ips]


def found(ips: tuple[str, ...], listening: tuple[str, ...]) -> Addresses:
    """What comes of trying `ips` while somebody listens at `listening`."""

    async def body() -> Addresses:
        with socket.socket() as first:
            first.bind((listening[0], 0))
            port = first.getsockname()[1]
            first.listen()
            others = [socket.create_server((ip, port)) for ip in listening[1:]]
            try:
                return await tried(at(port, *ips), 2.0)
            finally:
                for other in others:
                    other.close()

    return asyncio.run(body())


def test_all_addresses_that_answer_are_taken_in_their_order_and_each_once() -> None:
    assert found((TWO, ONE, TWO), (ONE, TWO)).ips == (TWO, ONE)


def test_a_dead_one_is_left_out_and_said_even_when_it_is_the_first() -> None:
    some = found((ONE, TWO, THREE), (TWO, THREE))
    assert some.ips == (TWO, THREE)
    assert some.note("rr.test") == (
        "rr.test has 3 addresses; requests go to each in turn: 127.0.0.2, 127.0.0.3; "
        "left out: 127.0.0.1 (connection refused)"
    )


def test_ipv6_refused_and_ipv4_answering_is_one_server_and_not_worth_a_word() -> None:
    local = found(("::1", ONE), (ONE,))
    assert (local.ips, local.note("localhost")) == ((ONE,), "")


def test_where_none_answers_the_first_is_left_to_tell_why() -> None:
    with socket.socket() as nobody:
        nobody.bind((ONE, 0))  # and does not listen
        dead = asyncio.run(tried(at(nobody.getsockname()[1], TWO, ONE), 2.0))
    assert (dead.ips, dead.dead) == ((TWO,), {})


def test_a_long_list_is_cut_in_words() -> None:
    many = Addresses(at(1, *(f"10.0.0.{n}" for n in range(9))), {})
    assert many.note("x").endswith("10.0.0.0, 10.0.0.1, 10.0.0.2, 10.0.0.3, ...")


@pytest.mark.parametrize(
    ("code", "lines", "said"),
    [
        (socket.EAI_NONAME, "", "no such name"),
        (socket.EAI_AGAIN, "", "this machine has no name server (/etc/resolv.conf)"),
        (
            socket.EAI_AGAIN,
            "# mine\nnameserver 10.0.0.53\nnameserver\n",
            "this machine's name servers do not answer: 10.0.0.53",
        ),
    ],
)
def test_a_name_that_nobody_knows_is_told_from_name_servers_that_do_not_answer(
    tmp_path: Path, code: int, lines: str, said: str
) -> None:
    conf = tmp_path / "resolv.conf"
    conf.write_text(lines, encoding="utf-8")
    assert dns_trouble(socket.gaierror(code, "?"), str(conf)) == said


def taken(rotation: Rotation, times: int) -> list[int]:
    got = []
    for _ in range(times):
        got.append(rotation.order()[0])
        rotation.advance()
    return got


def test_each_has_its_turn_from_the_workers_own_on() -> None:
    assert taken(Rotation(3, 4, in_turn=True), 5) == [1, 2, 0, 1, 2]
    assert taken(Rotation(3), 3) == [0, 0, 0]


def test_a_lost_one_is_passed_over_until_it_is_reached_again() -> None:
    rotation = Rotation(3, in_turn=True)
    assert (rotation.lost(1), rotation.lost(1)) == (True, False)
    assert taken(rotation, 4) == [0, 2, 0, 2]
    assert (rotation.reached(1), rotation.reached(1)) == (True, False)
    assert taken(rotation, 3) == [0, 1, 2]


def test_when_all_are_lost_all_are_tried() -> None:
    rotation = Rotation(2, in_turn=True)
    for number in (0, 1):
        assert rotation.lost(number)
    assert sorted(rotation.order()) == [0, 1]


def test_a_lost_one_is_tried_again_ever_more_rarely() -> None:
    rotation = Rotation(2, in_turn=True)
    rotation.lost(0)
    waits = [rotation.retry_s(0) for _ in range(8)]
    assert waits[:3] == [0.5, 1.0, 2.0]
    assert waits[-1] == MOST_S
    assert rotation.retry_s(1) is None


def test_the_only_address_is_never_left_aside() -> None:
    assert not Rotation(1, in_turn=True).lost(0)
