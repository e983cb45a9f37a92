"""A Kafka topic as a source: its partitions are split over readers; the offsets are in the mark.

The offsets are committed to a group as well, once they are done for good, for those who watch how far behind it is;
they count only where a job begins without a mark.
"""

import threading
import time
from contextlib import suppress
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from pipelines.errors import UsageError
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

ASK = 2.0
"""Seconds that a question to the broker may take."""
DISCOVER = 60.0
"""Seconds between two looks for new partitions."""
KEEP = 60.0
"""Seconds for which a connection is kept for the next reader."""


class KafkaSource(LineSource):
    """The messages of a topic, each one JSON object or several lines of them; order is kept within a partition."""

    def __init__(
        self,
        servers: str,
        topic: str,
        timing: Timing,
        group: str = "milepost",
        readers: int = 4,
        settings: tuple[tuple[str, str], ...] = (),
        part: int = 0,
        parts: int = 1,
    ) -> None:
        """Take where the topic is, and how it is read.

        Args:
            servers: brokers, as HOST:PORT, with commas between them.
            topic: name of the topic.
            timing: how it tells the time.
            group: to which offsets are committed.
            readers: into how many parts it is split at most.
            settings: further settings of Kafka's library.
            part: the number of this part, which has every partition whose number divided by `parts` leaves it.
            parts: how many parts there are.
        """
        self.name = f"kafka://{servers}/{topic}"
        self.servers = servers
        self.topic = topic
        self.timing = timing
        self.group = group
        self.readers = readers
        self.settings = settings
        self.part = part
        self.parts = parts

    def consumer(self) -> Consumer:
        """Give a new connection. It is made without waiting for a broker."""
        return Consumer(
            {
                "bootstrap.servers": self.servers,
                "group.id": self.group,
                "client.id": "milepost",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "queued.max.messages.kbytes": 16 * 1024,
                "reconnect.backoff.max.ms": 2_000,
                "socket.keepalive.enable": True,
                # What matters of it is said here, once.
                "log_level": 2,
                **dict(self.settings),
            }
        )

    def partitions(self, consumer: Consumer, patience: float = ASK) -> list[int]:
        """Ask which partitions belong to this part.

        Raises:
            KafkaException: there is no broker, or no such topic.
        """
        about = consumer.list_topics(self.topic, timeout=patience).topics[self.topic]
        if about.error is not None:
            raise KafkaException(about.error)
        return sorted(number for number in about.partitions if number % self.parts == self.part)

    def check(self) -> None:
        """See whether the topic is there.

        Raises:
            UsageError: it is not, or no broker answers.
        """
        try:
            consumer = self.consumer()
        except KafkaException as fault:
            raise UsageError(f"Kafka's library refuses {self.name}: {_text(fault)}.") from fault
        try:
            self.partitions(consumer, 10)
        except KafkaException as fault:
            unknown = fault.args[0].code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_EXCEPTION)
            why = f"it has no topic {self.topic}" if unknown else _text(fault)
            raise UsageError(f"Kafka at {self.servers} cannot be read: {why}.") from fault
        finally:
            consumer.close()

    def split(self, desired_num_splits: int, options: object = None) -> list[LineSource]:
        """Give the parts; no more than there are partitions. Without a broker it is not split."""
        consumer = self.consumer()
        try:
            parts = min(len(self.partitions(consumer, 10)), self.readers, desired_num_splits)
        finally:
            consumer.close()
        split: list[LineSource] = [
            KafkaSource(self.servers, self.topic, self.timing, self.group, 1, self.settings, part, parts)
            for part in range(parts)
        ]
        split[0].recall = self.recall
        return split

    def create_reader(self, options: object, checkpoint_mark: Mark | None) -> "KafkaReader":
        """Give a reader that goes on after a mark, or at what the group has committed, or at the beginning."""
        return KafkaReader(self, checkpoint_mark)

    def finish(self, positions: dict[int, Position]) -> None:
        """Commit the offsets to the group."""
        connection = _CONNECTIONS.get((self.name, self.part))
        if connection and positions:
            offsets = [TopicPartition(self.topic, number, offset) for number, (offset,) in positions.items()]
            with suppress(KafkaException, RuntimeError):
                connection.consumer.commit(offsets=offsets, asynchronous=True)


class Connection:
    """The one connection of a part in this process; the reader that uses it owns it.

    An engine makes readers anew from their marks whenever it likes, and keeps the old ones for a while: had each its
    own connection, there would soon be hundreds. A reader that finds that another one has used it sets it back to its
    own position.
    """

    def __init__(self, source: KafkaSource) -> None:
        """Connect, without waiting for a broker."""
        self.consumer = source.consumer()
        self.guard = threading.Lock()
        self.owner: object = None
        self.partitions: list[int] = []
        self.discovered = 0.0
        self.used = time.monotonic()


_CONNECTIONS: dict[tuple[str, int], Connection] = {}
_GUARD = threading.Lock()


def connect(source: KafkaSource) -> Connection:
    """Give the connection of a part; those that nobody has used for long are closed."""
    with _GUARD:
        now = time.monotonic()
        for key, old in list(_CONNECTIONS.items()):
            if now - old.used > KEEP and key != (source.name, source.part):
                _close(key)
        connection = _CONNECTIONS.get((source.name, source.part))
        if connection is None:
            connection = _CONNECTIONS[source.name, source.part] = Connection(source)
        connection.used = now
        return connection


def _close(key: tuple[str, int]) -> None:
    connection = _CONNECTIONS.pop(key, None)
    if connection and connection.guard.acquire(timeout=ASK):
        connection.consumer.close()
        connection.guard.release()


class Gathered:
    """Messages of one partition that become one piece."""

    def __init__(self, first: int) -> None:
        """Begin at an offset."""
        self.first = self.after = first
        self.bodies: list[bytes] = []
        self.size = 0

    def add(self, message: Message) -> None:
        """Take the next message; one without a body is passed over."""
        body = bytes(message.value() or b"").rstrip(b"\n")
        if body:
            self.bodies.append(body)
            self.size += len(body)
        self.after = (message.offset() or 0) + 1


class KafkaReader(LineReader):
    """Reads the partitions of one part. The position in each is the offset of the next message."""

    source: KafkaSource

    def __init__(self, source: KafkaSource, mark: Mark | None) -> None:
        """Go on after a mark, or begin."""
        super().__init__(source, mark)
        self.patience = Patience(source.name)
        self.ends: dict[int, int] = {}

    def fetch(self, patience: float) -> list[Piece]:
        """Give what the broker has sent ahead; if that is nothing, wait for it."""
        try:
            connection = self._connect()
            if connection is None:
                time.sleep(patience)
                return []
            with connection.guard:
                self._own(connection)
                messages = connection.consumer.consume(BLOCK_LINES, 0)
                if not messages:
                    first = connection.consumer.poll(patience)
                    messages = [first, *connection.consumer.consume(BLOCK_LINES - 1, 0)] if first else []
        except (KafkaException, RuntimeError) as fault:
            self._fail(fault)
            return []
        return self._pieces(messages, connection)

    def at_end(self, partition: int) -> bool:
        """Ask the broker: what was read to its end a while ago need not be so now."""
        connection = self._connect()
        if connection is None or self.pending:
            return False
        try:
            with connection.guard:
                self._own(connection)
                _, high = connection.consumer.get_watermark_offsets(
                    TopicPartition(self.source.topic, partition), timeout=ASK, cached=False
                )
        except (KafkaException, RuntimeError) as fault:
            self._fail(fault)
            return False
        self.patience.succeed()
        # What lies between the last message and the end holds no messages, but may well be counted.
        return bool(max(self.positions.get(partition, (0,))[0], self.ends.get(partition, 0)) >= high)

    def close(self) -> None:
        """Leave the connection to the next reader; at the end of all, close it."""
        if self.ended:
            with _GUARD:
                _close((self.source.name, self.source.part))

    def _connect(self) -> Connection | None:
        """Give the connection, once it is known which partitions there are."""
        if not self.patience.ready():
            return None
        connection = connect(self.source)
        if time.monotonic() - connection.discovered > DISCOVER or not connection.partitions:
            try:
                found = self.source.partitions(connection.consumer)
            except (KafkaException, RuntimeError) as fault:
                self._fail(fault)
                return None
            connection.discovered = time.monotonic()
            if found != connection.partitions:
                connection.partitions, connection.owner = found, None
        return connection

    def _own(self, connection: Connection) -> None:
        """Set the connection to this reader's positions, unless it stands there already."""
        if connection.owner is self:
            return
        self.ends.clear()
        for number in connection.partitions:
            self.watermarks.add(number)
        self.pending.clear()
        places = [TopicPartition(self.source.topic, number) for number in connection.partitions]
        unread = [place for place in places if place.partition not in self.positions]
        # Asked here: left to Kafka's library, a coordinator that is not ready leaves a partition unread for good.
        committed = {}
        for place in connection.consumer.committed(unread, timeout=ASK) if unread else ():
            if place.error:
                raise KafkaException(place.error)
            committed[place.partition] = place.offset
        for place in places:
            (offset,) = self.positions.get(place.partition, (committed.get(place.partition, OFFSET_BEGINNING),))
            place.offset = offset if offset >= 0 else OFFSET_BEGINNING
        connection.consumer.assign(places)
        connection.owner = self

    def _pieces(self, messages: list[Message], connection: Connection) -> list[Piece]:
        """Gather messages by partition, in order, into pieces no larger than a block should be."""
        pieces: list[Piece] = []
        open_pieces: dict[int, Gathered] = {}
        for message in messages:
            fault = message.error()
            number, offset = message.partition() or 0, message.offset() or 0
            if fault is None:
                gathered = open_pieces.setdefault(number, Gathered(offset))
                gathered.add(message)
                if gathered.size >= BLOCK_BYTES:
                    pieces.append(self._piece(number, open_pieces.pop(number)))
            elif fault.code() == KafkaError._PARTITION_EOF:
                self.ends[number] = offset
            else:
                # Whatever it was, partitions are taken up again where this reader is.
                connection.owner = None
                self._fail(fault)
        pieces += (self._piece(number, gathered) for number, gathered in open_pieces.items())
        if pieces:
            self.patience.succeed()
        return pieces

    def _piece(self, number: int, gathered: "Gathered") -> Piece:
        lines = b"\n".join(gathered.bodies)
        return Piece(number, f"{self.source.name}/{number}", gathered.first, lines, (gathered.after,))

    def _fail(self, fault: object) -> None:
        self.patience.fail(_text(fault))


def _text(fault: Any) -> str:  # noqa: ANN401
    """Give what a fault says, without its code."""
    if isinstance(fault, KafkaException):
        fault = fault.args[0]
    return str(fault.str() if isinstance(fault, KafkaError) else fault)
