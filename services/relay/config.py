"""The relay's configuration: one TOML file. Secrets are named in it, and come from the environment alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Optional

from msgspec import Meta, Struct

from pipelines.errors import UsageError
from schemas.fields import SECOND
from schemas.settings import Duration, read_settings
from services.relay.channels.channel import Channel
from services.relay.channels.file import File
from services.relay.channels.mail import Mail, Security
from services.relay.channels.signing import key
from services.relay.channels.topic import Topic
from services.relay.channels.webhook import Text, Webhook
from services.secrets import read_secret
from services.tokens import LinkConfig

Url = Annotated[str, Meta(pattern=r"^https?://[^\s/]+")]
Count = Annotated[int, Meta(ge=1, le=1_000)]


class ChannelConfig(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    """What all channels have.

    `after_timeout` says what to do when a receiver may have taken a message, or the relay died over it: `at_least_once`
    sends it again with the same key, so that a receiver which heeds the key sees it once; `at_most_once` never does,
    and leaves the row `failed` for somebody to look at.
    """

    after_timeout: Literal["at_least_once", "at_most_once"] = "at_least_once"
    timeout: Duration = Duration.of("10 s")
    senders: Count = 2
    """Messages on their way at a time."""
    tries: Count = 20
    """Refusals after which a row is dead."""
    first_wait: Duration = Duration.of("1 s")
    longest_wait: Duration = Duration.of("6 h")
    """Before a row is tried again it waits up to a bound that doubles from the first to the longest."""


class WebhookConfig(ChannelConfig, kw_only=True, frozen=True, tag="webhook"):
    """A receiver of signed JSON."""

    url: Url
    secrets: Annotated[tuple[str, ...], Meta(min_length=1, max_length=2)]
    """Names of environment variables: the secret and, during a rotation, the one before it."""

    def make(self) -> Channel:
        """Make the channel."""
        return Webhook(self.url, [_checked(name) for name in self.secrets], self.timeout / SECOND)


class SmsConfig(ChannelConfig, kw_only=True, frozen=True, tag="sms"):
    """A provider of text messages."""

    url: Url
    fields: Mapping[str, str]
    texts: Mapping[str, str]
    format: Literal["json", "form"] = "json"
    user: str = ""
    token: str = ""
    """Both are names of environment variables."""

    def make(self) -> Channel:
        """Make the channel."""
        return Text(
            self.url,
            self.fields,
            self.texts,
            self.timeout / SECOND,
            form=self.format == "form",
            user=_secret(self.user),
            token=_secret(self.token),
        )


class MailConfig(ChannelConfig, kw_only=True, frozen=True, tag="mail"):
    """A mail server."""

    host: str
    port: Annotated[int, Meta(ge=1, le=65535)] = 587
    security: Security = "starttls"
    sender: str
    to: str
    subject: str = "Parcel $tracking_number: $milestone"
    text: str = "Parcel $tracking_number of order $order_id: $milestone at $happened_at. $reason\n"
    user: str = ""
    password: str = ""
    """Both are names of environment variables."""

    def make(self) -> Channel:
        """Make the channel."""
        return Mail(
            self.host,
            self.port,
            self.security,
            self.sender,
            self.to,
            self.subject,
            self.text,
            self.timeout / SECOND,
            user=_secret(self.user),
            password=_secret(self.password),
        )


class TopicConfig(ChannelConfig, kw_only=True, frozen=True, tag="pubsub"):
    """A Pub/Sub topic."""

    topic: Annotated[str, Meta(pattern="^projects/[^/]+/topics/[^/]+$")]

    def make(self) -> Channel:
        """Make the channel."""
        return Topic(self.topic, self.timeout / SECOND)


class FileConfig(ChannelConfig, kw_only=True, frozen=True, tag="file"):
    """A file for trials."""

    path: str

    def make(self) -> Channel:
        """Make the channel."""
        return File(self.path)


class RelayConfig(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """All of it."""

    channel: Annotated[
        Mapping[str, WebhookConfig | SmsConfig | MailConfig | TopicConfig | FileConfig], Meta(min_length=1)
    ]
    batch: Count = 20
    """Rows claimed at a time by a sender."""
    lease: Duration = Duration.of("60 s")
    """How long a relay may be silent before its rows are another's; longer than any channel's time-out."""
    poll: Duration = Duration.of("1 s")
    """How long a sender that found nothing waits."""
    track: Optional[LinkConfig] = None
    """Of the desk's own; then each message has the link to its parcel's page as `track_url`."""


def read_config(path: str | Path) -> RelayConfig:
    """Read a configuration.

    Raises:
        UsageError: the file cannot be read, or says something the relay does not know.
    """
    config = read_settings(path, RelayConfig, UsageError)
    for name, channel in config.channel.items():
        if channel.timeout * 2 > config.lease:
            raise UsageError(f"The lease must be at least twice the timeout of the channel {name}.")
    return config


def _checked(name: str) -> str:
    secret = _secret(name)
    try:
        key(secret)
    except ValueError as fault:
        raise UsageError(f"The environment variable {name} cannot be used: {fault}.") from fault
    return secret


def _secret(name: str) -> str:
    """Give a secret by the name of its environment variable; no name, no secret."""
    return read_secret(name) if name else ""
