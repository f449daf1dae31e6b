"""Sends what a menu writes to a caller: mail through the house's own server, SMS through a gateway or Twilio."""

import asyncio
import contextlib
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from enum import StrEnum
from http import HTTPStatus
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Protocol, TypeVar

from changgu.ground.trouble import Trouble
from changgu.telephony.ivr_web import client
from changgu.ticketing.outbox.outgoing import MaybeTaken, Receipt, TakenLater

if TYPE_CHECKING:
    import smtplib
    import ssl

    import httpx

LIMIT = 4.0
"""Seconds for each step with a mail server or gateway: a caller waits."""
MAILS_AT_ONCE = 2
"""Beyond that a caller is told at once that their mail could not be sent."""
SMS_AT_ONCE = 4

PASSING = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
"""Answers that mean later again (RFC 9110). After 500, 502 and 504 something may have gone out: it is not repeated."""
T = TypeVar("T")

ADDRESS = re.compile(r"[^@\s<>,;:\"]{1,64}@[A-Za-z0-9.-]{1,190}")
NUMBER = re.compile(r"\+?[0-9]{8,15}")


class NotSent(Trouble):
    """A message was not taken over by those who deliver it. Says neither to whom it was nor what stood in it."""

    status = 502


class NotYetSent(NotSent, TakenLater):
    """Who delivers could not be reached, or takes no more for now: nothing went out, and later something may."""


class MaybeSent(NotSent, MaybeTaken):
    """Who delivers was told and gave no answer: whether the message goes out is not known. It is not sent again."""


class MailSecurity(StrEnum):
    """How the line to the mail server is encrypted."""

    AUTO = "auto"
    """STARTTLS where the server offers it; always with a log-in."""
    STARTTLS = "starttls"
    TLS = "tls"
    """From the first byte (SMTPS, RFC 8314)."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class MailServer:
    """The house's own server."""

    host: str
    port: int
    sender: str
    security: MailSecurity = MailSecurity.AUTO
    user: str = ""
    password: str = field(default="", repr=False)
    """Only ever sent over an encrypted line."""
    authority: str = ""
    """File of the authority (PEM) that vouches for the server; empty: those that this computer trusts."""


@dataclass(frozen=True, slots=True)
class SmsGateway:
    """Takes `{"to": …, "text": …}` as JSON by POST; 2xx means that it will be delivered."""

    url: str
    token: str = field(default="", repr=False)
    """Sent as `Authorization: Bearer`."""


class SmsService(Protocol):
    """A company that delivers SMS; called in a thread."""

    def send(self, number: str, text: str) -> str:
        """To a number with + and country code; what the message is called there. Raises `NotSent`."""
        ...

    def arrived(self, receipt: str) -> Receipt:
        """What is known of a message that was taken over; raises `NotSent` when nobody answers."""
        ...


class Messages:
    """Answers `ticketing.outbox.service.Post`."""

    def __init__(
        self, mail: MailServer | None, sms: SmsGateway | SmsService | None,
        transport: "httpx.AsyncBaseTransport | None" = None,
        international: Callable[[str], str | None] = lambda number: number,
    ) -> None:  # fmt: skip
        """`transport` stands in for the network in tests; `international` gives a number its country code, or None."""
        self._mail = mail
        self._sms = sms
        self._transport = transport
        self._international = international
        self._mailers = _Threads("mail", MAILS_AT_ONCE)
        self._texters = _Threads("sms", SMS_AT_ONCE)

    async def send(self, kind: str, to: str, text: str, subject: str) -> str:
        """By `sms` or `mail`; a mail's Message-ID, Twilio's SID, '' of a gateway. Raises `NotSent`, or a kind of it."""
        match kind, self._mail, self._sms:
            case "mail", MailServer() as server, _ if ADDRESS.fullmatch(to):
                return await self._mailers.run(lambda: _post(server, to, text, subject))
            case "sms", _, SmsGateway() as gateway if NUMBER.fullmatch(number := to.replace("-", "")):
                await self._to_gateway(gateway, number, text)
                return ""
            case "sms", _, None:
                raise NotSent("문자를 보낼 곳이 설정되지 않았습니다.", "nothing sends SMS here")
            case "sms", _, service if service is not None and not isinstance(service, SmsGateway):
                number = self._international(to) or ""
                if not (number.startswith("+") and NUMBER.fullmatch(number)):
                    raise NotSent("문자를 받을 수 있는 번호가 아닙니다.", "not a number that takes SMS")
                return await self._texters.run(lambda: service.send(number, text))
            case _:
                raise NotSent("이 주소나 번호로는 보낼 수 없습니다.", f"no {kind} can be sent there")

    async def arrived(self, kind: str, receipt: str) -> Receipt | None:
        """What a company that delivers SMS knows of one; None for mail and a gateway, which give no receipts."""
        service = self._sms
        if kind != "sms" or service is None or isinstance(service, SmsGateway):
            return None
        return await self._texters.run(lambda: service.arrived(receipt))

    async def _to_gateway(self, gateway: SmsGateway, number: str, text: str) -> None:
        import httpx  # with the first message: a start must not wait for it

        heads = {"Authorization": f"Bearer {gateway.token}"} if gateway.token else {}
        async with await asyncio.to_thread(client, self._transport) as pool:
            posted = {"to": number, "text": text}
            try:
                answer = await pool.post(gateway.url, json=posted, headers=heads, timeout=LIMIT)
            except (httpx.ConnectTimeout, httpx.ConnectError, httpx.PoolTimeout) as trouble:
                name = type(trouble).__name__
                raise NotYetSent(
                    f"문자 게이트웨이에 연결하지 못했습니다({name}).", f"the gateway could not be reached ({name})"
                ) from trouble
            except (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError) as trouble:
                name = type(trouble).__name__
                raise MaybeSent(
                    f"문자 게이트웨이가 답하지 않았습니다({name}).", f"the gateway did not answer ({name})"
                ) from trouble
        if not answer.is_success:
            refusal = NotYetSent if answer.status_code in PASSING else NotSent
            raise refusal(
                f"문자 게이트웨이가 거절했습니다({answer.status_code}).", f"the gateway said {answer.status_code}"
            )


class _Threads:
    """Of their own: a server that hangs must not keep the threads in which callers' sounds are made."""

    def __init__(self, name: str, at_once: int) -> None:
        self._pool = ThreadPoolExecutor(at_once, name)
        self._free = BoundedSemaphore(at_once)
        self._name = name

    async def run(self, work: Callable[[], T]) -> T:
        if not self._free.acquire(blocking=False):
            raise NotYetSent(
                "앞선 메시지를 아직 보내고 있습니다.", f"earlier messages are still before it ({self._name})"
            )
        posting = self._pool.submit(work)
        posting.add_done_callback(lambda _: self._free.release())  # not before: a caller who hangs up ends no thread
        return await asyncio.wrap_future(posting)


def _post(server: MailServer, to: str, text: str, subject: str) -> str:
    import smtplib  # in its own thread: a start must not wait for them
    import ssl

    mail = EmailMessage()
    mail["From"], mail["To"] = server.sender, to
    mail["Subject"] = " ".join(subject.split()) or " ".join(text.split())[:60]
    mail["Date"], mail["Message-ID"] = formatdate(localtime=True), make_msgid(domain=server.sender.rpartition("@")[2])
    mail.set_content(text)
    try:
        trusted = ssl.create_default_context(cafile=server.authority or None)
        line: smtplib.SMTP
        if server.security is MailSecurity.TLS:
            line = smtplib.SMTP_SSL(server.host, server.port, timeout=LIMIT, context=trusted)
        else:
            line = smtplib.SMTP(server.host, server.port, timeout=LIMIT)
        try:
            if server.security is not MailSecurity.TLS:
                _encrypt(line, server, trusted)
            _hand_over(line, server, mail)
        finally:
            with contextlib.suppress(smtplib.SMTPException, OSError):  # what was taken over is, however it parts
                line.quit()
    except ssl.SSLError as trouble:
        raise NotSent(
            "메일 서버의 인증서를 믿을 수 없습니다(sending.mail_authority).",
            f"the mail server's certificate is not trusted (sending.mail_authority): {trouble.reason}",
        ) from trouble
    except smtplib.SMTPAuthenticationError as trouble:
        raise _refusal(trouble.smtp_code)(
            f"메일 서버가 로그인을 거절했습니다({trouble.smtp_code}). mail_user와 mail.password를 보십시오.",
            f"the mail server refused the log-in ({trouble.smtp_code}): see sending.mail_user and DATA/mail.password",
        ) from None  # its text may hold what was sent
    except smtplib.SMTPRecipientsRefused as trouble:
        code = next((refused[0] for refused in trouble.recipients.values()), 0)
        raise _refusal(code)(
            f"메일 서버가 받는 주소를 거절했습니다({code}).", f"the mail server refused the recipient ({code})"
        ) from None
    except smtplib.SMTPResponseException as trouble:
        raise _refusal(trouble.smtp_code)(
            f"메일 서버가 받지 않았습니다({trouble.smtp_code}).",
            f"the mail server could not be used ({trouble.smtp_code})",
        ) from None
    except (smtplib.SMTPException, OSError) as trouble:
        raise NotYetSent(
            f"메일 서버와 통신하지 못했습니다({type(trouble).__name__}).",
            f"the mail server could not be used ({type(trouble).__name__})",
        ) from trouble
    return str(mail["Message-ID"])


def _refusal(code: int) -> type[NotSent]:
    """4yz is for now, 5yz for good (RFC 5321, 4.2.1)."""
    return NotYetSent if HTTPStatus.BAD_REQUEST <= code < HTTPStatus.INTERNAL_SERVER_ERROR else NotSent


def _encrypt(line: "smtplib.SMTP", server: MailServer, trusted: "ssl.SSLContext") -> None:
    line.ehlo()
    offered = line.has_extn("starttls")
    required = server.security is MailSecurity.STARTTLS or bool(server.user)
    if required and not offered:
        raise NotSent(
            "메일 서버가 STARTTLS를 제공하지 않아 로그인하지 않았습니다.",
            "the mail server offers no STARTTLS, so nothing was sent to it",
        )
    if offered and server.security is not MailSecurity.NONE:
        line.starttls(context=trusted)
        line.ehlo()


def _hand_over(line: "smtplib.SMTP", server: MailServer, mail: EmailMessage) -> None:
    import smtplib

    if server.user:
        line.login(server.user, server.password)
    try:
        line.send_message(mail)
    except smtplib.SMTPServerDisconnected as trouble:
        raise MaybeSent(
            "메일 서버가 메일을 받다가 끊겼습니다.", "the mail server went away while it took the mail"
        ) from trouble
