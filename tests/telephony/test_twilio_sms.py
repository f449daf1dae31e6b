"""SMS over Twilio's own client: what is posted, what every refusal says, and that no secret is told to anybody."""

import asyncio
import logging
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import orjson
import pytest

from changgu.app.sending import TOKEN_VARIABLE, SendingSettings, messengers
from changgu.directory.numbers import Numbering
from changgu.ground.trouble import BadInput
from changgu.telephony.ivr_messages import MaybeSent, Messages, NotSent
from changgu.telephony.twilio_sms import TwilioAccount, TwilioAway, TwilioRefusal, TwilioSms
from changgu.ticketing.outbox.outgoing import Arrival, TakenLater

ACCOUNT = "AC" + "0" * 32
SERVICE = "MG" + "1" * 32
SID = "SM" + "2" * 32
TOKEN = "a token that nobody is told"


class MessagesApi:
    """Speaks as much of Twilio's Messages resource as a sender hears; `refusals` are the next answers."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, str, dict[str, str]]] = []
        self.refusals: list[tuple[int, bytes]] = []
        self.asked: list[str] = []
        self.message: dict[str, object] = {}
        """What is said of a message that was sent."""
        self.silent = threading.Event()
        self.silent.set()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def refuses(self, status: int, code: int, message: str) -> None:
        body = {"code": code, "message": message, "more_info": f"https://www.twilio.com/docs/errors/{code}"}
        self.refusals.append((status, orjson.dumps(body | {"status": status})))

    def _handler(api) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                read = self.rfile.read(int(self.headers["Content-Length"])).decode()
                api.silent.wait(10)
                form = {name: values[0] for name, values in parse_qs(read).items()}
                api.posted.append((self.path, self.headers.get("Authorization", ""), form))
                status, body = api.refusals.pop(0) if api.refusals else (201, _accepted(form))
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with suppress(ConnectionError):  # whoever asked has gone
                    self.wfile.write(body)

            def do_GET(self) -> None:
                api.asked.append(self.path)
                status, body = api.refusals.pop(0) if api.refusals else (200, orjson.dumps(api.message))
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: the test says what matters."""

        return Handler


def _accepted(form: dict[str, str]) -> bytes:
    said = {"sid": SID, "status": "queued", "to": form["To"], "body": form["Body"], "num_segments": "1"}
    return orjson.dumps(said | {"account_sid": ACCOUNT, "direction": "outbound-api", "error_code": None})


@pytest.fixture
def api() -> Iterator[MessagesApi]:
    made = MessagesApi()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    made.silent.set()
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "sms.token"
    file.touch(mode=0o600)
    file.write_text(TOKEN + "\n")
    return tmp_path


def sender(api: MessagesApi, data: Path, **options: str) -> Messages:
    given = {"twilio_from": "+15005550006"} if "twilio_service" not in options else {}
    settings = SendingSettings.model_validate(
        {"sms_kind": "twilio", "twilio_account": ACCOUNT, "twilio_address": api.address, **given, **options}
    )  # fmt: skip
    made = messengers(settings, data, Numbering("KR", "^[1-9][0-9]{2,4}$").canonical)
    assert made is not None
    return made


async def test_an_sms_reaches_twilio_with_its_country_code(api: MessagesApi, data: Path) -> None:
    receipt = await sender(api, data).send("sms", "010-1234-5678", "접수 1030039 처리 중입니다.", "")

    assert receipt == SID
    ((path, who, form),) = api.posted
    assert path == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    assert who == "Basic " + b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
    assert form == {"To": "+821012345678", "From": "+15005550006", "Body": "접수 1030039 처리 중입니다."}


async def test_a_messaging_service_picks_whom_it_comes_from(api: MessagesApi, data: Path) -> None:
    await sender(api, data, twilio_service=SERVICE).send("sms", "+821012345678", "x", "")

    assert api.posted[0][2] == {"To": "+821012345678", "MessagingServiceSid": SERVICE, "Body": "x"}


@pytest.mark.parametrize(
    ("status", "code", "korean", "english"),
    [
        (400, 21211, "받는 번호가 올바르지 않습니다", "not one that can be sent to"),
        (401, 20003, "계정 SID나 토큰이 맞지 않습니다", "account SID or its token"),
        (429, 20429, "잠시 뒤에 다시", "later again"),
        (400, 21610, "수신을 거부", "opted out"),
        (403, 99999, "받지 않았습니다", "did not take"),
    ],
)
async def test_every_refusal_says_what_to_do(
    api: MessagesApi, data: Path, caplog: pytest.LogCaptureFixture, status: int, code: int, korean: str, english: str
) -> None:
    caplog.set_level(logging.INFO)
    api.refuses(status, code, "The 'To' number +821012345678 is not a valid phone number.")

    with pytest.raises(TwilioRefusal) as refused:
        await sender(api, data).send("sms", "01012345678", "비밀번호 481516", "")

    assert korean in refused.value.ko
    assert english in refused.value.en
    assert refused.value.code == code
    for told in (refused.value.ko, refused.value.en, *(record.getMessage() for record in caplog.records)):
        assert not [secret for secret in ("1012345678", "481516", TOKEN, ACCOUNT) if secret in told]


@pytest.mark.parametrize(
    ("status", "code", "arrival", "said"),
    [
        ("queued", None, Arrival.UNKNOWN, ""), ("sent", None, Arrival.UNKNOWN, ""),
        ("delivered", None, Arrival.DELIVERED, ""),
        ("undelivered", 30003, Arrival.UNDELIVERED, "the handset is off or cannot be reached (Twilio 30003)"),
        ("failed", 30005, Arrival.UNDELIVERED, "the number does not exist, or no more (Twilio 30005)"),
        ("canceled", None, Arrival.UNDELIVERED, "it could not be delivered (Twilio canceled)"),
    ],
)  # fmt: skip
async def test_twilio_is_asked_whether_an_sms_arrived(
    api: MessagesApi, data: Path, status: str, code: int | None, arrival: Arrival, said: str
) -> None:
    api.message = {"sid": SID, "status": status, "error_code": code, "to": "+821012345678", "account_sid": ACCOUNT}

    found = await sender(api, data).arrived("sms", SID)

    assert found is not None
    assert (found.arrival, found.en) == (arrival, said)
    assert api.asked == [f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{SID}.json"]
    assert await sender(api, data).arrived("mail", "<1@example.org>") is None


async def test_whoever_is_asked_and_does_not_know_the_sms_tells_no_number(api: MessagesApi, data: Path) -> None:
    api.refuses(404, 20404, "The requested resource of +821012345678 was not found")

    with pytest.raises(NotSent) as refused:
        await sender(api, data).arrived("sms", SID)

    assert "1012345678" not in refused.value.ko + refused.value.en


@pytest.mark.parametrize(("status", "code", "later"), [(429, 20429, True), (503, 20503, True), (400, 21211, False)])
async def test_twilio_that_takes_nothing_for_now_is_asked_later(
    api: MessagesApi, data: Path, status: int, code: int, later: bool
) -> None:
    api.refuses(status, code, "no")

    with pytest.raises(NotSent) as refused:
        await sender(api, data).send("sms", "01012345678", "x", "")

    assert isinstance(refused.value, TakenLater) is later


async def test_the_next_message_goes_out_after_a_refusal(api: MessagesApi, data: Path) -> None:
    api.refuses(429, 20429, "Too Many Requests")
    messages = sender(api, data)
    with pytest.raises(TwilioRefusal):
        await messages.send("sms", "01012345678", "x", "")

    await messages.send("sms", "01012345678", "y", "")

    assert [form["Body"] for _, _, form in api.posted] == ["x", "y"]


async def test_a_page_that_is_no_answer_of_twilios_is_said_to_be_none(api: MessagesApi, data: Path) -> None:
    api.refusals += [(502, b"<html>Bad Gateway</html>"), (201, b"<html>hello</html>")]
    messages = sender(api, data)

    with pytest.raises(TwilioRefusal) as refused:
        await messages.send("sms", "01012345678", "x", "")
    with pytest.raises(TwilioAway):
        await messages.send("sms", "01012345678", "x", "")

    assert refused.value.code == 502


async def test_whoever_does_not_answer_in_time_is_not_asked_twice(api: MessagesApi) -> None:
    api.silent.clear()
    service = TwilioSms(TwilioAccount(ACCOUNT, TOKEN, "+15005550006", address=api.address), limit=0.2)

    with pytest.raises(TwilioAway) as away:
        await asyncio.to_thread(service.send, "+821012345678", "x")
    api.silent.set()

    assert isinstance(away.value, MaybeSent)
    assert "제때" in away.value.ko
    assert "in time" in away.value.en


async def test_a_line_that_nobody_takes_is_said_so(data: Path) -> None:
    closed = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    address = f"http://127.0.0.1:{closed.server_address[1]}"
    closed.server_close()
    service = TwilioSms(TwilioAccount(ACCOUNT, TOKEN, "+15005550006", address=address))

    with pytest.raises(NotSent, match="reached") as trouble:
        await asyncio.to_thread(service.send, "+821012345678", "x")

    assert not isinstance(trouble.value, MaybeSent), "nothing went out, and mail may be tried"


async def test_extensions_words_and_long_texts_are_never_posted(api: MessagesApi, data: Path) -> None:
    messages = sender(api, data)
    for number in ("1234", "helpdesk", ""):
        with pytest.raises(NotSent):
            await messages.send("sms", number, "x", "")
    with pytest.raises(TwilioRefusal) as refused:
        await messages.send("sms", "01012345678", "가" * 1601, "")

    assert refused.value.code == 21617
    assert not api.posted


def test_the_token_is_never_a_default_and_never_printed(
    api: MessagesApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = SendingSettings(sms_kind="twilio", twilio_account=ACCOUNT, twilio_from="+15005550006")
    with pytest.raises(BadInput) as missing:
        messengers(settings, tmp_path)
    assert "sms.token" in missing.value.ko
    assert TOKEN_VARIABLE in missing.value.en

    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    assert messengers(settings, tmp_path) is not None
    assert TOKEN not in repr(TwilioAccount(ACCOUNT, TOKEN))

    for wrong in (
        {"sms_kind": "twilio"},
        {"sms_kind": "twilio", "twilio_account": ACCOUNT},
        {"sms_kind": "twilio", "twilio_account": ACCOUNT, "twilio_from": "+15005550006", "twilio_service": SERVICE},
        {"twilio_account": "AC1"},
        {"twilio_address": "http://relay.example.org"},
    ):
        with pytest.raises(ValueError):
            SendingSettings.model_validate(wrong)
