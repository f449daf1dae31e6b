"""Mail and SMS to callers: what is sent, what is refused, over a real socket and a gateway of our own."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from changgu.app.sending import SendingSettings, messengers
from changgu.ground.trouble import BadInput
from changgu.telephony.ivr_messages import MailServer, MaybeSent, Messages, NotSent, NotYetSent, SmsGateway


class MailBox:
    """Speaks as much of RFC 5321 as a sender needs; `answers` are others than usual, None for a line that breaks."""

    def __init__(self, **answers: str | None) -> None:
        self.lines: list[str] = []
        self.answers = answers

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        data = False
        while line := (await reader.readline()).decode():
            self.lines.append(line.rstrip("\r\n"))
            if data:
                data = line != ".\r\n"
                answer = "" if data else "250 kept"
            else:
                data = line.upper().startswith("DATA")
                answer = "354 go on" if data else "221 bye" if line.upper().startswith("QUIT") else "250 ok"
            word = "KEPT" if answer == "250 kept" else line.split(" ")[0].strip().upper()
            if answer and word in self.answers:
                answer = self.answers[word] or ""
                data = data and answer.startswith("354")
                if not answer:
                    break
            if answer:
                writer.write(f"{answer}\r\n".encode())
        writer.close()


async def test_a_mail_is_handed_to_the_houses_server() -> None:
    box = MailBox()
    server = await asyncio.start_server(box.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    messages = Messages(MailServer("127.0.0.1", port, "desk@example.org"), None)

    await messages.send("mail", "lee@example.org", "처리되었습니다.", "접수 1234567\r\nBcc: all@example.org")
    server.close()

    assert "rcpt to:<lee@example.org>" in [line.lower() for line in box.lines]
    assert not [line for line in box.lines if line.startswith("Bcc")]
    assert next(line for line in box.lines if line.startswith("Message-ID: ")).endswith("@example.org>")
    for wrong in ("lee", "lee@example.org, all@example.org", "lee@example.org\nBcc: x@y"):
        with pytest.raises(NotSent):
            await messages.send("mail", wrong, "", "")
    with pytest.raises(NotSent):
        await messages.send("sms", "01012345678", "", "")


@pytest.mark.parametrize(
    ("answers", "raised"),
    [({"QUIT": "421 closing"}, None), ({"QUIT": None}, None), ({"RCPT": "450 greylisted"}, NotYetSent),
     ({"DATA": "452 full"}, NotYetSent), ({"KEPT": "554 no"}, NotSent), ({"KEPT": None}, MaybeSent)],
    ids=["bids no farewell", "is gone after it", "greylists", "is full", "does not like it", "breaks at the end"],
)  # fmt: skip
async def test_what_a_mail_server_says_decides_whether_a_mail_is_sent_again(
    answers: dict[str, str | None], raised: type[NotSent] | None
) -> None:
    box = MailBox(**answers)
    server = await asyncio.start_server(box.serve, "127.0.0.1", 0)
    messages = Messages(MailServer("127.0.0.1", server.sockets[0].getsockname()[1], "desk@example.org"), None)

    try:
        assert (await messages.send("mail", "lee@example.org", "x", "")).endswith("@example.org>")
        said = None
    except NotSent as trouble:
        said = type(trouble)
    server.close()

    assert said is raised


async def test_a_mail_server_that_does_not_answer_keeps_two_callers_and_no_other() -> None:
    gives_up = asyncio.Event()

    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gives_up.wait()
        writer.close()

    silent = await asyncio.start_server(silence, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    messages = Messages(MailServer("127.0.0.1", port, "desk@example.org"), None)
    waiting = [asyncio.create_task(messages.send("mail", "lee@example.org", "x", "")) for _ in range(2)]
    await asyncio.sleep(0.1)

    began = asyncio.get_running_loop().time()
    with pytest.raises(NotSent):
        await messages.send("mail", "kim@example.org", "x", "")
    for one in waiting:
        one.cancel()  # they hang up, and the server still holds what it was given
    await asyncio.gather(*waiting, return_exceptions=True)
    with pytest.raises(NotSent):
        await messages.send("mail", "kim@example.org", "x", "")
    assert asyncio.get_running_loop().time() - began < 1
    gives_up.set()
    silent.close()


async def test_the_next_mail_goes_out_once_an_earlier_one_is_done() -> None:
    box = MailBox()
    server = await asyncio.start_server(box.serve, "127.0.0.1", 0)
    messages = Messages(MailServer("127.0.0.1", server.sockets[0].getsockname()[1], "desk@example.org"), None)

    for _ in range(5):
        await messages.send("mail", "lee@example.org", "처리되었습니다.", "")
    server.close()

    assert box.lines.count("QUIT") + box.lines.count("quit") == 5


async def test_an_sms_is_posted_to_the_gateway() -> None:
    asked: list[httpx.Request] = []
    statuses = iter((202, 500))

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(next(statuses))

    gateway = SmsGateway("https://sms.example/send", "abc")
    messages = Messages(None, gateway, httpx.MockTransport(answer))

    await messages.send("sms", "010-1234-5678", "접수 1234567", "")
    with pytest.raises(NotSent):
        await messages.send("sms", "01012345678", "x", "")
    with pytest.raises(NotSent):
        await messages.send("sms", "helpdesk", "x", "")

    assert json.loads(asked[0].content) == {"to": "01012345678", "text": "접수 1234567"}
    assert asked[0].headers["authorization"] == "Bearer abc"
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("trouble", "maybe"),
    [(httpx.ReadTimeout("late"), True), (httpx.WriteTimeout("late"), True), (httpx.ReadError("cut"), True),
     (httpx.RemoteProtocolError("cut"), True), (httpx.ConnectTimeout("away"), False),
     (httpx.ConnectError("away"), False)],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
async def test_after_the_gateway_was_told_nobody_knows_whether_the_sms_goes_out(
    trouble: httpx.TransportError, maybe: bool
) -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        raise trouble

    messages = Messages(None, SmsGateway("https://sms.example/send", "abc"), httpx.MockTransport(answer))

    with pytest.raises(MaybeSent if maybe else NotYetSent) as said:
        await messages.send("sms", "01012345678", "x", "")

    assert isinstance(said.value, MaybeSent) is maybe


def test_the_gateways_token_and_pins_are_sent_over_an_encrypted_line_or_not_out_of_the_house() -> None:
    for good in ("https://sms.example/send", "http://127.0.0.1:9000/sms", "http://localhost/sms", ""):
        assert SendingSettings(sms_url=good).sms_url == good
    for wrong in ("http://sms.example/send", "http://10.0.0.5/sms", "ftp://127.0.0.1", "sms.example", "https://"):
        with pytest.raises(ValueError, match="https://"):
            SendingSettings(sms_url=wrong)


def test_who_sends_is_said_in_the_settings(tmp_path: Path) -> None:
    assert messengers(SendingSettings(), tmp_path) is None
    assert messengers(SendingSettings(mail_server="mail.example.org"), tmp_path) is None
    assert messengers(SendingSettings(mail_server="mail:587", mail_from="d@example.org"), tmp_path) is not None
    token = tmp_path / "sms.token"
    token.write_text("abc\n")
    token.chmod(0o644)
    with pytest.raises(BadInput):
        messengers(SendingSettings(sms_url="https://sms.example"), tmp_path)
    token.chmod(0o600)
    assert messengers(SendingSettings(sms_url="https://sms.example"), tmp_path) is not None
    for wrong in ({"mail_server": ":25"}, {"mail_server": "a:b"}, {"mail_from": "desk"}, {"sms_url": "sms.example"}):
        with pytest.raises(ValueError):
            SendingSettings.model_validate(wrong)
