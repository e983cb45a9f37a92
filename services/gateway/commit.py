"""Group commit: the lines of all requests that wait go to the disk together, then all of them are answered."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from copy import copy

from schemas.spool import SpoolWriter

_Waiting = tuple[Sequence[bytes], "asyncio.Future[None]"]


class GroupCommit:
    """Writes to a spool for one event loop. While one group is written, the next one gathers: no timer is needed."""

    def __init__(self, writer: SpoolWriter, written: Callable[[int, float], None]) -> None:
        """Take the writer, and whom to tell, in the loop, of each group its bytes and the seconds it took."""
        self.writer = writer
        self.written = written
        self._waiting: list[_Waiting] = []
        self._wake = asyncio.Event()
        self._stopping = False
        self._thread = ThreadPoolExecutor(1, "spool")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in the running loop."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def append(self, lines: Sequence[bytes]) -> None:
        """Append lines, side by side and in order; when this returns, the disk has them.

        Raises:
            OSError: it may not have them.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((lines, done))
        self._wake.set()
        await done

    async def stop(self) -> None:
        """Write what waits, and end."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task
        self._thread.shutdown()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting or not self._stopping:
            if not self._waiting:
                self._wake.clear()
                await self._wake.wait()
                continue
            group, self._waiting = self._waiting, []
            lines = [line for some, _ in group for line in some]
            began = time.perf_counter()
            try:
                await loop.run_in_executor(self._thread, self.writer.append, lines)
            except Exception as fault:
                # Whatever it was, it is for those who wait, and must not end the writing for all that come after.
                self._answer(group, fault)
            else:
                self.written(sum(len(line) + 1 for line in lines), time.perf_counter() - began)
                self._answer(group, None)

    @staticmethod
    def _answer(group: Sequence[_Waiting], fault: Exception | None) -> None:
        for _, done in group:
            # A request that was given up has no future to answer any more.
            with suppress(asyncio.InvalidStateError):
                if fault is None:
                    done.set_result(None)
                else:
                    # One each: a fault that is raised in many places gathers all their tracebacks.
                    done.set_exception(copy(fault))
