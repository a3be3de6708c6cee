"""Commands leave in order, each after the answer to the one before; what is not answered is said and dropped."""

from __future__ import annotations

import asyncio

from sessions.run.commands import AbortRun, Ack, Answer, Command, Refusal, SetRate, StepLoad
from tui.controls.command_queue import CommandQueue


class Run:
    """Answers each command with the number of commands it has had, once `free`."""

    def __init__(self) -> None:
        self.had: list[Command] = []
        self.asked, self.free = asyncio.Event(), asyncio.Event()

    async def send(self, command: Command) -> Answer:
        self.had.append(command)
        self.asked.set()
        await self.free.wait()
        return Ack(len(self.had), "running")


def test_each_command_counts_and_none_overtakes_another() -> None:
    async def body() -> None:
        run, answers = Run(), list[tuple[Command, Answer]]()
        all_answered = asyncio.Event()

        def answered(command: Command, answer: Answer) -> None:
            answers.append((command, answer))
            if len(answers) == len(typed):
                all_answered.set()

        queue = CommandQueue(run, answered)
        typed: list[Command] = [SetRate(5.0), SetRate(6.0), StepLoad(1), StepLoad(1), StepLoad(-1)]
        for command in typed:
            queue.put(command)
        await run.asked.wait()
        assert (run.had, queue.waiting) == ([SetRate(5.0)], tuple(typed))
        run.free.set()
        await all_answered.wait()
        assert answers == [(command, Ack(n, "running")) for n, command in enumerate(typed, 1)]
        assert (run.had, queue.waiting) == (typed, ())

    asyncio.run(body())


def test_after_a_command_without_answer_what_was_typed_is_dropped_but_the_end_of_the_run_is_not() -> None:
    async def body() -> None:
        run, answers = Run(), asyncio.Queue[tuple[Command, Answer]]()
        queue = CommandQueue(
            run, lambda command, answer: answers.put_nowait((command, answer)), timeout_s=0.01
        )
        for command in (StepLoad(1), StepLoad(1), AbortRun(), SetRate(5.0)):
            queue.put(command)
        assert await answers.get() == (
            StepLoad(1),
            Refusal("step: the run did not answer within 0.01 s, 2 more dropped; wait for it, and try again"),
        )
        assert await answers.get() == (
            AbortRun(),
            Refusal("abort: the run did not answer within 0.01 s; wait for it, and try again"),
        )
        assert run.had == [StepLoad(1), AbortRun()]
        run.free.set()
        queue.put(StepLoad(2))
        assert await answers.get() == (StepLoad(2), Ack(3, "running"))

    asyncio.run(body())
