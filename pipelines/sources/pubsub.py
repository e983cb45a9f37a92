"""A Pub/Sub subscription as a source: acknowledged once the engine has put away what came of a message.

`PUBSUB_EMULATOR_HOST` names an emulator to be used instead.
"""

import time

from google.api_core.exceptions import GoogleAPICallError, PermissionDenied
from google.auth.exceptions import GoogleAuthError
from google.cloud.pubsub_v1 import SubscriberClient

from pipelines.errors import UsageError
from pipelines.sources.puller import Puller, puller_of, running
from pipelines.sources.unbounded import (
    BLOCK_BYTES,
    BLOCK_LINES,
    LineReader,
    LineSource,
    Mark,
    Patience,
    Piece,
    Position,
    Timing,
)


class PubSubSource(LineSource):
    """The messages of a subscription, each one JSON object or several lines of them, in no order."""

    def __init__(self, project: str, subscription: str, timing: Timing, readers: int = 1, part: int = 0) -> None:
        """Take the names of the project and the subscription, how it tells the time, and how many read at a time."""
        self.name = f"pubsub://{project}/{subscription}"
        self.subscription = f"projects/{project}/subscriptions/{subscription}"
        self.project = project
        self.short = subscription
        self.timing = timing
        self.readers = readers
        self.part = part

    def check(self) -> None:
        """See whether the subscription is there.

        Raises:
            UsageError: it is not, or Pub/Sub does not answer, or there are no credentials.
        """
        try:
            with SubscriberClient() as client:
                client.get_subscription(request={"subscription": self.subscription}, timeout=10, retry=None)
        except PermissionDenied:
            # Whoever may read a subscription need not be allowed to look at it.
            return
        except GoogleAPICallError as fault:
            raise UsageError(f"{self.name} cannot be read: {fault.message}.") from fault
        except GoogleAuthError as fault:
            raise UsageError(f"{self.name} cannot be read: {str(fault).splitlines()[0].rstrip('.')}.") from fault

    def split(self, desired_num_splits: int, options: object = None) -> list[LineSource]:
        """Give as many parts as are to read at a time: Pub/Sub spreads the messages over them."""
        split: list[LineSource] = [
            PubSubSource(self.project, self.short, self.timing, 1, part) for part in range(self.readers)
        ]
        split[0].recall = self.recall
        return split

    def create_reader(self, options: object, checkpoint_mark: Mark | None) -> "PubSubReader":
        """Give a reader that goes on after a mark of this process, or with what is not acknowledged."""
        return PubSubReader(self, checkpoint_mark)

    def finish(self, positions: dict[int, Position]) -> None:
        """Acknowledge everything before."""
        puller = running(self.subscription, self.part)
        ident, number = positions.get(0, (0, 0))
        if puller and puller.ident == ident:
            puller.finish(number)


class PubSubReader(LineReader):
    """Reads what its process's puller holds. Its position: the puller's id, and the number of the last message."""

    source: PubSubSource

    def __init__(self, source: PubSubSource, mark: Mark | None) -> None:
        """Go on after a mark, or begin."""
        super().__init__(source, mark)
        self.patience = Patience(source.name)
        self.watermarks.add(0)
        self.number = 0
        self.ident = 0

    def fetch(self, patience: float) -> list[Piece]:
        """Give the messages that were pulled ahead, as one piece."""
        puller = self._puller()
        if puller is None:
            time.sleep(patience)
            return []
        number, lines, size = self._number(puller), list[bytes](), 0
        for message in puller.after(number, BLOCK_LINES, patience):
            number += 1
            body = message.body.rstrip(b"\n")
            if body:
                lines.append(body)
                size += len(body)
            if size >= BLOCK_BYTES:
                break
        if number == self._number(puller):
            return []
        return [Piece(0, self.source.name, 1, b"\n".join(lines), (puller.ident, number))]

    def at_end(self, partition: int) -> bool:
        """Tell whether Pub/Sub answers, and a pull begun since the last message came back with nothing."""
        puller = self._puller()
        if puller is None or puller.last > self._number(puller) or puller.empty < self.pace.moved:
            return False
        return puller.answers(2.0)

    def _puller(self) -> Puller | None:
        try:
            puller = puller_of(self.source.subscription, self.source.part)
        except GoogleAuthError as fault:
            self.patience.fail(fault)
            return None
        if puller.fault:
            self.patience.fail(puller.fault)
        else:
            self.patience.succeed()
        return puller

    def _number(self, puller: Puller) -> int:
        """Give the number behind which to read on; with another puller, behind what is acknowledged."""
        ident, number = self.positions.get(0, (0, 0))
        return max(number, puller.first - 1) if ident == puller.ident else puller.first - 1
