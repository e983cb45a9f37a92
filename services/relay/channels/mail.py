"""Mail by SMTP; its Message-ID is the message's key, so that a mailbox can tell a message that came twice."""

import smtplib
from email.message import EmailMessage
from typing import Literal

from services.relay.channels.channel import SENT, Message, Outcome, Went, filled

Security = Literal["tls", "starttls", "none"]


class Mail:
    """Sends each message in a connection of its own: messages are few and servers drop idle ones."""

    def __init__(
        self,
        host: str,
        port: int,
        security: Security,
        sender: str,
        to: str,
        subject: str,
        text: str,
        timeout: float,
        *,
        user: str = "",
        password: str = "",
    ) -> None:
        """Take the server, and templates of the receiver's address, the subject and the text."""
        self.host, self.port, self.security = host, port, security
        self.sender, self.to, self.subject, self.text = sender, to, subject, text
        self.timeout = timeout
        self.user, self.password = user, password

    def send(self, message: Message) -> Outcome:
        """Send one mail."""
        try:
            mail = self._write(message)
            connection = self._connect()
        except ValueError:
            return Outcome(Went.REFUSED, "no mail can be made of it")
        except (OSError, smtplib.SMTPException) as fault:
            return Outcome(Went.REFUSED, f"no connection ({type(fault).__name__})")
        try:
            connection.send_message(mail)
        except smtplib.SMTPRecipientsRefused:
            return Outcome(Went.REFUSED, "the receiver is refused")
        except smtplib.SMTPResponseException as fault:
            return Outcome(Went.REFUSED, f"answer {fault.smtp_code}")
        except (OSError, smtplib.SMTPException) as fault:
            return Outcome(Went.UNKNOWN, f"no answer ({type(fault).__name__})")
        finally:
            connection.close()
        return SENT

    def close(self) -> None:
        """Hold nothing."""

    def _write(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = self.sender
        mail["To"] = filled(self.to, message.payload)
        mail["Subject"] = filled(self.subject, message.payload)
        mail["Message-ID"] = f"<{message.key}@milepost.invalid>"
        mail["Idempotency-Key"] = message.key
        mail.set_content(filled(self.text, message.payload))
        return mail

    def _connect(self) -> smtplib.SMTP:
        kind = smtplib.SMTP_SSL if self.security == "tls" else smtplib.SMTP
        connection = kind(self.host, self.port, timeout=self.timeout)
        try:
            if self.security == "starttls":
                connection.starttls()
            if self.user:
                connection.login(self.user, self.password)
        except BaseException:
            connection.close()
            raise
        return connection
