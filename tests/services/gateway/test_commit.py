"""Group commit: many wait, one write, all are answered, and none before the disk has its lines."""

import asyncio
import threading

import pytest

from schemas.spool import SpoolWriter
from services.gateway.commit import GroupCommit
from tests.services.gateway.conftest import spooled


class Gate:
    """A writer that writes when it is let."""

    def __init__(self, writer=None, fault=None):
        """Take what writes, or what it fails with."""
        self.writer, self.fault = writer, fault
        self.groups = []
        self.begun, self.open = threading.Event(), threading.Event()

    def append(self, lines):
        """Write a group."""
        self.begun.set()
        assert self.open.wait(10)
        self.groups.append(list(lines))
        if self.fault:
            raise self.fault
        if self.writer:
            self.writer.append(lines)


def test_all_that_waits_is_one_group(tmp_path):
    async def scenario(gate):
        sizes = []
        commit = GroupCommit(gate, lambda size, seconds: sizes.append(size))
        commit.start()
        first = asyncio.create_task(commit.append([b'{"n":0}']))
        await asyncio.to_thread(gate.begun.wait, 10)
        rest = [asyncio.create_task(commit.append([b'{"n":%d}' % n, b'{"n":%d}' % n])) for n in range(1, 50)]
        await asyncio.sleep(0)
        assert not first.done() and not any(task.done() for task in rest)
        gate.open.set()
        await asyncio.gather(first, *rest)
        await commit.stop()
        assert sizes == [sum(len(line) + 1 for line in group) for group in gate.groups]

    with SpoolWriter(tmp_path) as writer:
        gate = Gate(writer)
        asyncio.run(scenario(gate))
    assert [len(group) for group in gate.groups] == [1, 98]
    assert [line["n"] for line in spooled(tmp_path)] == [0, *(n for n in range(1, 50) for _ in range(2))]


@pytest.mark.parametrize("fault", [OSError(5, "Input/output error"), ValueError("a line end")])
def test_a_group_that_fails_fails_for_all_of_it_and_for_nobody_else(fault):
    async def scenario():
        gate = Gate(fault=fault)
        commit = GroupCommit(gate, lambda size, seconds: None)
        commit.start()
        gate.open.set()
        faults = await asyncio.gather(*(commit.append([b"x"]) for _ in range(5)), return_exceptions=True)
        assert [str(one) for one in faults] == [str(fault)] * 5
        gate.fault = None
        await commit.append([b"y"])
        await commit.stop()

    asyncio.run(scenario())


def test_the_end_waits_for_what_is_in_hand():
    async def scenario():
        gate = Gate()
        commit = GroupCommit(gate, lambda size, seconds: None)
        commit.start()
        waiting = [asyncio.create_task(commit.append([b"x"])) for _ in range(3)]
        await asyncio.sleep(0)
        gate.open.set()
        await commit.stop()
        assert all(task.done() for task in waiting) or await asyncio.gather(*waiting) == [None] * 3
        assert sum(map(len, gate.groups)) == 3

    asyncio.run(scenario())


def test_who_gives_up_waiting_stops_nobody():
    async def scenario():
        gate = Gate()
        commit = GroupCommit(gate, lambda size, seconds: None)
        commit.start()
        first, second = (asyncio.create_task(commit.append([b"x"])) for _ in range(2))
        await asyncio.to_thread(gate.begun.wait, 10)
        first.cancel()
        gate.open.set()
        await second
        with pytest.raises(asyncio.CancelledError):
            await first
        await commit.stop()

    asyncio.run(scenario())
