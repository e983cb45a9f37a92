"""The gateway's life: what is started with it, in which order, and ended in the other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from starlette.applications import Starlette

from schemas.spool import SpoolWriter
from services.gateway.app import make_app
from services.gateway.commit import GroupCommit
from services.gateway.config import GatewayConfig
from services.gateway.forward import Forwarder
from services.gateway.gateway import Gateway
from services.gateway.metrics import Metrics
from services.gateway.publish import Target
from services.gateway.quarantine import Quarantine
from services.gateway.room import Room

LAST_BATCH = 5.0
"""Seconds for which the end waits for the batch that is on its way to the broker."""


class Life:
    """A gateway with all it needs."""

    def __init__(self, config: GatewayConfig, target: Target, writer: SpoolWriter, quarantine: Path) -> None:
        """Take the configuration, where events go, the writer of its spool, and the quarantine's folder.

        Raises:
            UsageError: a secret is not set, or a sender cannot be what the file says.
        """
        metrics = Metrics()
        self.room = Room(target.folder, config.spool)
        self.commit = GroupCommit(writer, self._written)
        self.forwarder = Forwarder(target.folder, target.broker, metrics) if target.broker else None
        self.gateway = Gateway(config, self.commit, self.room, Quarantine(quarantine, config.quarantine), metrics)
        self.app = make_app(self.gateway, self._lifespan)

    def _written(self, size: int, seconds: float) -> None:
        self.room.take(size)
        self.gateway.metrics.commits.observe(seconds)
        if self.forwarder is not None:
            self.forwarder.wake()

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        self.commit.start()
        house = asyncio.create_task(self.gateway.keep_house())
        if self.forwarder is not None:
            self.forwarder.start()
        try:
            yield
        finally:
            house.cancel()
            with suppress(asyncio.CancelledError):
                await house
            await self.commit.stop()
            if self.forwarder is not None:
                await asyncio.to_thread(self.forwarder.stop, LAST_BATCH)
