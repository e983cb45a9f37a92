"""A Kafka topic: events are keyed by their waybill, so those of a parcel stay in one partition and in order."""

import threading
from collections.abc import Sequence

from confluent_kafka import KafkaException, Producer

from pipelines.errors import UsageError
from services.gateway.brokers.broker import Away, Message

PATIENCE_MS = 10_000
"""How long Kafka's library may try to deliver a message before the whole batch is published anew."""


class KafkaBroker:
    """Publishes by an idempotent producer that waits for all replicas."""

    def __init__(self, servers: str, topic: str, settings: tuple[tuple[str, str], ...] = ()) -> None:
        """Take where the topic is, and further settings of Kafka's library. No broker need be there yet.

        Raises:
            UsageError: Kafka's library refuses a setting.
        """
        self.name = f"kafka://{servers}/{topic}"
        self.topic = topic
        self.settings = {
            "bootstrap.servers": servers,
            "client.id": "milepost-gateway",
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": 2,
            "compression.type": "lz4",
            "message.timeout.ms": PATIENCE_MS,
            "delivery.report.only.error": True,
            "reconnect.backoff.max.ms": 1_000,
            # What matters of it is said by the forwarder, once.
            "log_level": 2,
            **dict(settings),
        }
        self._faults: list[str] = []
        try:
            self._producer: Producer | None = self._make()
        except KafkaException as fault:
            raise UsageError(f"Kafka's library refuses {self.name}: {fault.args[0].str()}.") from fault

    def publish(self, messages: Sequence[Message], stop: threading.Event) -> None:
        """Publish messages; those of one key in their order."""
        producer = self._producer = self._producer or self._make()
        self._faults.clear()
        try:
            for message in messages:
                producer.produce(self.topic, message.line, message.key, on_delivery=self._note)
            while producer.flush(0.5):
                if self._faults or stop.is_set():
                    break
            if self._faults or len(producer):
                raise Away(self._faults[0] if self._faults else "stopped")
        except (KafkaException, BufferError) as fault:
            raise Away(str(fault)) from fault
        finally:
            if self._faults or len(producer):
                # What is still under way must not come after its own repetition.
                self.close()

    def close(self) -> None:
        """Drop the producer, with what it still holds."""
        if self._producer is not None:
            self._producer.purge()
            self._producer.flush(1)
            self._producer = None

    def _make(self) -> Producer:
        return Producer(self.settings)

    def _note(self, fault: object, message: object) -> None:
        if fault is not None:
            self._faults.append(str(fault))
