"""Webhooks: signed JSON to a receiver of ours, and the same road to a provider of text messages by its own template."""

import base64
import json
import time
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from services.relay.channels.channel import Message, Outcome, filled
from services.relay.channels.http import post
from services.relay.channels.signing import sign


class Webhook:
    """Posts `{"type", "timestamp", "data"}`, signed, with the message's key as `Idempotency-Key`."""

    def __init__(self, url: str, secrets: Sequence[str], timeout: float) -> None:
        """Take the receiver, the secrets in use, and the seconds a send may take."""
        self.url = url
        self.secrets = tuple(secrets)
        self.timeout = timeout

    def send(self, message: Message) -> Outcome:
        """Post one message."""
        said = {
            "type": f"parcel.{message.payload['milestone']}",
            "timestamp": message.payload["happened_at"],
            "data": dict(sorted(message.payload.items())),
        }
        body = json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "milepost",
            "Idempotency-Key": message.key,
            **(sign(self.secrets, message.key, int(time.time()), body) if self.secrets else {}),
        }
        return post(self.url, headers, body, self.timeout)

    def close(self) -> None:
        """Hold nothing."""


class Text:
    """Posts a text message as a provider wants it: fields filled from the message, as a form or as JSON."""

    def __init__(
        self,
        url: str,
        fields: Mapping[str, str],
        texts: Mapping[str, str],
        timeout: float,
        *,
        form: bool = False,
        user: str = "",
        token: str = "",
    ) -> None:
        """Take the provider, its fields, the text of each milestone, and who asks: a token, or user and password.

        Args:
            url: of the provider.
            fields: templates of its fields; `$text` is the text, `$key` the message's key.
            texts: templates by milestone; `default` for those that have none.
            timeout: seconds a send may take.
            form: a form instead of JSON.
            user: for basic authentication, with the token as password.
            token: a bearer token.
        """
        self.url = url
        self.fields = fields
        self.texts = texts
        self.timeout = timeout
        self.form = form
        self.headers = {"User-Agent": "milepost"}
        if user:
            self.headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode()
        elif token:
            self.headers["Authorization"] = f"Bearer {token}"

    def send(self, message: Message) -> Outcome:
        """Post one text message."""
        milestone = str(message.payload["milestone"])
        text = filled(self.texts.get(milestone) or self.texts.get("default", ""), message.payload)
        said = {name: filled(value, message.payload, text=text, key=message.key) for name, value in self.fields.items()}
        kind = "application/x-www-form-urlencoded" if self.form else "application/json"
        body = urlencode(said) if self.form else json.dumps(said, ensure_ascii=False)
        headers = self.headers | {"Content-Type": kind, "Idempotency-Key": message.key}
        return post(self.url, headers, body.encode(), self.timeout)

    def close(self) -> None:
        """Hold nothing."""
