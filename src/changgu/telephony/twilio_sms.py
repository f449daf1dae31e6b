"""Sends SMS through Twilio: over its own client, with its refusals in words that the desk can act upon."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from changgu.telephony.ivr_messages import LIMIT, PASSING, MaybeSent, NotSent, NotYetSent
from changgu.ticketing.outbox.outgoing import Arrival, Receipt

if TYPE_CHECKING:
    from twilio.http.http_client import TwilioHttpClient
    from twilio.http.response import Response
    from twilio.rest import Client

_quiet = logging.getLogger("changgu.twilio")
_quiet.setLevel(logging.WARNING)
"""The client notes every request at INFO, the account's number among it."""

LONGEST = 1600
"""Characters of one message; Twilio refuses more (21617)."""

REFUSALS: Mapping[int, tuple[str, str]] = {
    20003: ("Twilio 계정 SID나 토큰이 맞지 않습니다.", "Twilio refused the account SID or its token"),
    20429: ("Twilio가 잠시 뒤에 다시 보내라고 합니다.", "Twilio takes no more for now; later again"),
    21211: ("받는 번호가 올바르지 않습니다.", "the number is not one that can be sent to"),
    21212: ("보내는 번호(sending.twilio_from)가 올바르지 않습니다.", "sending.twilio_from is no valid sender"),
    21408: ("이 국가로 보내는 것이 Twilio 계정에서 막혀 있습니다.", "the Twilio account may not send to this country"),
    21606: ("sending.twilio_from은 이 계정에서 문자를 보낼 수 없습니다.", "sending.twilio_from cannot send SMS"),
    21608: ("시험 계정은 확인된 번호로만 보냅니다.", "a Twilio trial account sends to verified numbers only"),
    21610: ("받는 사람이 수신을 거부했습니다.", "the recipient has opted out"),
    21614: ("받는 번호가 휴대전화가 아닙니다.", "the number is no mobile"),
    21617: ("문자가 너무 깁니다.", "the message is too long"),
    21703: ("메시징 서비스에 보내는 번호가 없습니다.", "the messaging service has no sender"),
    30003: ("받는 전화가 꺼져 있거나 닿지 않습니다.", "the handset is off or cannot be reached"),
    30004: ("받는 사람이나 통신사가 차단했습니다.", "the recipient or their carrier blocks it"),
    30005: ("없는 번호입니다.", "the number does not exist, or no more"),
    30006: ("문자를 받지 못하는 번호입니다(유선 등).", "the number takes no SMS, such as a landline"),
    30007: ("통신사가 스팸으로 걸렀습니다.", "a carrier filtered it as spam"),
    30008: ("통신사가 까닭 없이 전하지 못했습니다.", "a carrier could not deliver it and does not say why"),
}
"""What Twilio's codes mean to a desk: https://www.twilio.com/docs/api/errors."""


class TwilioRefusal(NotSent):
    """Twilio answered, and said no; `code` is its own where it gave one, else the HTTP status."""

    def __init__(self, code: int, status: int) -> None:
        ko, en = REFUSALS.get(code) or REFUSALS.get(_STATUSES.get(status, 0)) or (
            "Twilio가 문자를 받지 않았습니다.", "Twilio did not take the message",
        )  # fmt: skip
        super().__init__(f"{ko} (Twilio {code})", f"{en} (Twilio {code})")
        self.code = code


_STATUSES: Mapping[int, int] = {HTTPStatus.UNAUTHORIZED: 20003, HTTPStatus.TOO_MANY_REQUESTS: 20429}


class TwilioBusy(TwilioRefusal, NotYetSent):
    """Twilio takes nothing for now: later again."""


class TwilioAway(MaybeSent):
    """No answer of Twilio's came in time. Whether the message goes out is not known, so it is not sent again."""


@dataclass(frozen=True, slots=True)
class TwilioAccount:
    """Whose messages they are, and who they come from: a number, or a messaging service that picks one."""

    account: str
    token: str = field(repr=False)
    sender: str = ""
    service: str = ""
    region: str = ""
    edge: str = ""
    address: str = ""
    """Where Twilio's API is reached, when that is a relay of the house; empty: Twilio itself."""


class TwilioSms:
    """Answers `telephony.ivr_messages.SmsService`."""

    def __init__(self, account: TwilioAccount, limit: float = LIMIT) -> None:
        """`limit` in seconds, for connecting and again for each answer."""
        self._account = account
        self._limit = limit
        self._client: Client | None = None

    def send(self, number: str, text: str) -> str:
        """One message; Twilio has accepted it when this returns its SID.

        Raises `TwilioRefusal`, of it `TwilioBusy`, `TwilioAway`, and `NotYetSent` when no line to Twilio could be had.
        """
        from requests import ConnectTimeout, RequestException, Timeout
        from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException

        if len(text) > LONGEST:
            raise TwilioRefusal(21617, HTTPStatus.BAD_REQUEST)
        self._client = client = self._client or self._made()
        sender = {"messaging_service_sid": self._account.service} if self._account.service else {}
        try:
            if sender:
                made = client.messages.create(to=number, body=text, messaging_service_sid=self._account.service)
            else:
                made = client.messages.create(to=number, body=text, from_=self._account.sender)
        except (TwilioRestException, TwilioServiceException) as refusal:  # its text holds the number
            said = TwilioBusy if refusal.status in PASSING else TwilioRefusal
            raise said(refusal.code or refusal.status, refusal.status) from None
        except Timeout as trouble:
            away = NotYetSent if isinstance(trouble, ConnectTimeout) else TwilioAway
            raise away("Twilio가 제때 답하지 않았습니다.", "Twilio did not answer in time") from trouble
        except (RequestException, TwilioException, ValueError, TypeError) as trouble:  # not JSON, or not what it sends
            name = type(trouble).__name__
            ko, en = f"Twilio와 통신하지 못했습니다({name}).", f"Twilio could not be reached ({name})"
            raise (NotYetSent if _found_no_line(trouble) else TwilioAway)(ko, en) from trouble
        return made.sid if isinstance(made.sid, str) else ""

    def arrived(self, receipt: str) -> Receipt:
        """What the Message resource with this SID says (twilio.com/docs/messaging/api/message-resource).

        Raises `NotSent` when Twilio does not answer, or not with a message.
        """
        from requests import RequestException
        from twilio.base.exceptions import TwilioException

        self._client = client = self._client or self._made()
        try:
            found = client.messages(receipt).fetch()
        except (TwilioException, RequestException, ValueError, TypeError) as trouble:  # its text may hold the number
            name = type(trouble).__name__
            raise NotSent(f"Twilio가 답하지 않았습니다({name}).", f"Twilio did not answer ({name})") from None
        match str(found.status):
            case "delivered" | "read":
                return Receipt(Arrival.DELIVERED)
            case "undelivered" | "failed" | "canceled" as status:
                code = found.error_code if isinstance(found.error_code, int) else 0
                ko, en = REFUSALS.get(code) or ("전하지 못했습니다.", "it could not be delivered")
                told = f"(Twilio {code or status})"
                return Receipt(Arrival.UNDELIVERED, f"{ko} {told}", f"{en} {told}")
            case _:  # under way; some carriers never say more than `sent`
                return Receipt(Arrival.UNKNOWN)

    def _made(self) -> "Client":
        """Loading it takes a second: in the thread that sends, at the first message."""
        from twilio.http.http_client import TwilioHttpClient
        from twilio.rest import Client

        line = TwilioHttpClient(timeout=self._limit, logger=_quiet)
        one = self._account
        return Client(
            one.account, one.token, region=one.region or None, edge=one.edge or None,
            http_client=_Relay(line, one.address) if one.address else line,
            environment={"": ""},  # not empty, or it would read this computer's: settings alone say where it goes
        )  # fmt: skip


def _found_no_line(trouble: Exception) -> bool:
    """Nothing can have gone out: the computer was not found, took no call, or was not whom its certificate says."""
    from requests.exceptions import SSLError
    from urllib3.exceptions import MaxRetryError, NewConnectionError

    why = trouble.args[0] if trouble.args else None
    no_line = isinstance(why, MaxRetryError) and isinstance(why.reason, NewConnectionError)
    return no_line or isinstance(trouble, SSLError)


class _Relay:
    """Twilio's own line, led through the house's relay; what it asks and how stays Twilio's."""

    is_async = False

    def __init__(self, line: "TwilioHttpClient", address: str) -> None:
        self._line = line
        self._at = urlsplit(address)

    def request(self, method: str, url: str, **asked: object) -> "Response":
        wanted = urlsplit(url)
        path = self._at.path.rstrip("/") + wanted.path
        return self._line.request(
            method, urlunsplit((self._at.scheme, self._at.netloc, path, wanted.query, "")), **asked
        )
