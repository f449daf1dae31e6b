"""Sends what a menu writes to a caller: mail through the house's own server, SMS through a gateway over HTTP."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from changgu.telephony.ivr_web import client

if TYPE_CHECKING:
    import httpx

LIMIT = 4.0
"""Seconds for each step with a mail server or gateway: a caller waits."""
MAILS_AT_ONCE = 2
"""Beyond that a caller is told at once that their mail could not be sent."""

ADDRESS = re.compile(r"[^@\s<>,;:\"]{1,64}@[A-Za-z0-9.-]{1,190}")
NUMBER = re.compile(r"\+?[0-9]{8,15}")


class NotSent(Exception):
    """A message was not taken over by those who deliver it."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """The house's own server, which takes mail from this computer; encrypted when it offers that."""

    host: str
    port: int
    sender: str


@dataclass(frozen=True, slots=True)
class SmsGateway:
    """Takes `{"to": …, "text": …}` as JSON by POST; 2xx means that it will be delivered."""

    url: str
    token: str = ""
    """Sent as `Authorization: Bearer`."""


class Messages:
    """Answers `telephony.ivr_player.Messengers`."""

    def __init__(
        self, mail: MailServer | None, sms: SmsGateway | None, transport: "httpx.AsyncBaseTransport | None" = None
    ) -> None:
        """`transport` stands in for the network in tests."""
        self._mail = mail
        self._sms = sms
        self._transport = transport
        self._mailers = ThreadPoolExecutor(MAILS_AT_ONCE, "mail")
        """Of their own: a mail server that hangs must not keep the threads in which callers' sounds are made."""
        self._free = BoundedSemaphore(MAILS_AT_ONCE)

    async def send(self, kind: str, to: str, text: str, subject: str) -> None:
        """By `sms` or `mail`. Raises `NotSent`, and what smtplib and httpx raise."""
        match kind:
            case "mail" if self._mail is not None and ADDRESS.fullmatch(to):
                await self._by_mail(self._mail, to, text, subject)
            case "sms" if self._sms is not None and NUMBER.fullmatch(number := to.replace("-", "")):
                await self._to_gateway(self._sms, number, text)
            case _:
                raise NotSent(f"no {kind} can be sent there")

    async def _by_mail(self, server: MailServer, to: str, text: str, subject: str) -> None:
        if not self._free.acquire(blocking=False):
            raise NotSent("the mail server still has earlier mail before it")
        posting = self._mailers.submit(_post, server, to, text, subject)
        posting.add_done_callback(lambda _: self._free.release())  # not before: a caller who hangs up ends no thread
        await asyncio.wrap_future(posting)

    async def _to_gateway(self, gateway: SmsGateway, number: str, text: str) -> None:
        heads = {"Authorization": f"Bearer {gateway.token}"} if gateway.token else {}
        async with await asyncio.to_thread(client, self._transport) as pool:
            posted = {"to": number, "text": text}
            answer = await pool.post(gateway.url, json=posted, headers=heads, timeout=LIMIT)
        if not answer.is_success:
            raise NotSent(f"the gateway said {answer.status_code}")


def _post(server: MailServer, to: str, text: str, subject: str) -> None:
    import smtplib  # in its own thread: a start must not wait for them
    import ssl

    mail = EmailMessage()
    mail["From"], mail["To"] = server.sender, to
    mail["Subject"] = " ".join(subject.split()) or " ".join(text.split())[:60]
    mail["Date"], mail["Message-ID"] = formatdate(localtime=True), make_msgid(domain=server.sender.rpartition("@")[2])
    mail.set_content(text)
    with smtplib.SMTP(server.host, server.port, timeout=LIMIT) as line:
        line.ehlo()
        if line.has_extn("starttls"):
            line.starttls(context=ssl.create_default_context())
            line.ehlo()
        line.send_message(mail)
