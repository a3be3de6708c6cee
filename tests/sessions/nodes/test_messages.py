"""What host and node say to each other survives the wire, and shows no key."""

import pytest

from sessions.nodes import messages as m


@pytest.mark.parametrize(
    "question",
    [
        m.Hello(),
        m.ClockQuestion(),
        m.Put("trace.bin", 80, b"\x00\xff"),
        m.Start([0, 3], debug=True),
        m.StartTelemetry("node1", ["nvml", "host"], -5, "http://10.0.0.1:8000"),
        m.Tell([(0, b'{"cmd":"finish"}\n')]),
        m.Read({"worker-0.jsonl": 12}, 3, 1.0),
        m.Kill(),
        m.Leave(),
    ],
)
def test_a_question_is_the_same_after_the_wire(question: m.Question) -> None:
    assert m.decode_question(m.encode(question)) == question


@pytest.mark.parametrize(
    "answer",
    [
        m.HelloAnswer(1, "0.2.0", "3.11.7", "n1", 4, 8, "/tmp/x"),
        m.ClockAnswer(123),
        m.Done(),
        m.ReadAnswer([("worker-0.jsonl", 0, b"{}\n")], [(0, b"{}")], {0: -9}, whole=True),
        m.Refusal("no space left"),
    ],
)
def test_an_answer_is_the_same_after_the_wire(answer: m.NodeAnswer) -> None:
    assert m.decode_answer(m.encode(answer)) == answer


def test_what_workers_are_told_is_not_in_its_words() -> None:
    assert "sk-secret" not in repr(m.Tell([(0, b"Bearer sk-secret")]))
