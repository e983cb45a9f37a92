"""Pub/Sub as what the gateway forwards to, with its emulator."""

import threading
import uuid
from collections import defaultdict

import pytest

from services.gateway.brokers.broker import Away, Message
from tests.sources.conftest import emulator  # noqa: F401

pytestmark = pytest.mark.pubsub


@pytest.fixture
def topic(emulator):  # noqa: F811
    """Make a topic, and a subscription that keeps its order."""
    from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient

    name = f"t{uuid.uuid4().hex[:8]}"
    publisher, subscriber = PublisherClient(), SubscriberClient()
    publisher.create_topic(name=f"projects/trial/topics/{name}")
    subscription = f"projects/trial/subscriptions/{name}"
    subscriber.create_subscription(
        request={"name": subscription, "topic": f"projects/trial/topics/{name}", "enable_message_ordering": True}
    )
    yield name, lambda: pull(subscriber, subscription)
    subscriber.close()
    publisher.stop()


def pull(subscriber, subscription):
    """Give what is there, and acknowledge it."""
    got = subscriber.pull(request={"subscription": subscription, "max_messages": 1000}, timeout=10).received_messages
    if got:
        subscriber.acknowledge(request={"subscription": subscription, "ack_ids": [one.ack_id for one in got]})
    return [one.message for one in got]


def test_a_topic_takes_all_of_a_batch_each_parcel_in_order(topic):
    from services.gateway.brokers.pubsub import PubSubBroker

    name, pulled = topic
    broker = PubSubBroker("trial", name)
    for first in (0, 300):
        broker.publish([Message(f"t{n % 40}", b'{"n":%d}' % n) for n in range(first, first + 300)], threading.Event())
    broker.close()
    found, keys, count = defaultdict(list), defaultdict(set), 0
    while count < 600:
        for message in pulled():
            number = int(message.data[5:-1])
            found[number % 40].append(number)
            keys[number % 40].add(message.ordering_key)
            count += 1
    assert found == {parcel: list(range(parcel, 600, 40)) for parcel in range(40)}
    assert all(len(some) == 1 for some in keys.values())


def test_a_topic_that_is_not_there(emulator):  # noqa: F811
    from services.gateway.brokers.pubsub import PubSubBroker

    broker = PubSubBroker("trial", "nowhere")
    for _ in range(2):
        with pytest.raises(Away, match="NotFound"):
            broker.publish([Message("t", b"{}")], threading.Event())
    broker.close()
