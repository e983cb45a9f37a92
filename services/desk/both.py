"""The source where there is a database and a lake: how things stand from the one, and more of their story from both."""

from contextlib import suppress

from services.desk.database import Database
from services.desk.lake import LakeSource
from services.desk.source import SourceError, Standing


class DatabaseAndLake(Database):
    """A database; an order's story has what the lake tells of it as well."""

    def __init__(self, address: str, lake: LakeSource) -> None:
        """Take the database's address, and the lake."""
        super().__init__(address)
        self.lake = lake

    def story(self, order_id: str) -> list[Standing]:
        """Tell an order's story; a lake that cannot be read now leaves it shorter."""
        told = {standing.tracking_number: standing for standing in super().story(order_id)}
        with suppress(SourceError):
            for standing in self.lake.story(order_id):
                live = told.get(standing.tracking_number, Standing(standing.tracking_number, [], []))
                lines = [f"In the lake: {line}" for line in standing.lines]
                told[standing.tracking_number] = Standing(
                    standing.tracking_number, [*live.lines, *lines], [*live.sections, *standing.sections]
                )
        return list(told.values())

    def close(self) -> None:
        """Let go of both."""
        super().close()
        self.lake.close()
