"""Mail to a server that wants a log-in and encryption: over a real socket with a real certificate."""

import asyncio
import ssl
import subprocess
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from changgu.app.sending import SendingSettings, messengers
from changgu.ground.trouble import BadInput
from changgu.telephony.ivr_messages import MailSecurity, MailServer, Messages, NotSent

PASSWORD = "correct horse"


class Submission:
    """A submission server (RFC 6409) that takes mail after AUTH PLAIN (RFC 4954), once the line is encrypted."""

    def __init__(self, context: ssl.SSLContext | None, tls_at_once: bool = False) -> None:
        self._context = context
        self._at_once = tls_at_once
        self.lines: list[str] = []
        self.mails = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        encrypted = self._at_once
        writer.write(b"220 ready\r\n")
        data = False
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            self.lines.append(line)
            word = line.split(" ")[0].upper()
            if data:
                while line != ".":
                    line = (await reader.readline()).decode().rstrip("\r\n")
                data, answer = False, "250 kept"
                self.mails += 1
            elif word == "EHLO":
                more = "AUTH PLAIN" if encrypted else "STARTTLS" if self._context else "HELP"
                answer = f"250-desk\r\n250 {more}"
            elif word == "STARTTLS":
                assert self._context is not None
                writer.write(b"220 go on\r\n")
                await writer.drain()
                await writer.start_tls(self._context)
                encrypted = True
                continue
            elif word == "AUTH":
                said = b64decode(line.split(" ")[2]).decode()
                answer = "235 welcome" if said == f"\0desk\0{PASSWORD}" else f"535 not {said}"
            elif word == "RCPT" and "nobody@" in line:
                answer = "550 nobody here"
            elif word == "DATA":
                data, answer = True, "354 go on"
            else:
                answer = "221 bye" if word == "QUIT" else "250 ok"
            writer.write(f"{answer}\r\n".encode())
        writer.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 that vouches for itself; its key lies beside it."""
    folder = tmp_path_factory.mktemp("authority")
    subprocess.run(
        ["/usr/bin/openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=mail",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    return folder / "cert.pem"


@asynccontextmanager
async def running(server: Submission, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
    yield listening.sockets[0].getsockname()[1]
    listening.close()


def certified(authority: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, authority.with_name("key.pem"))
    return context


def settings(port: int, authority: Path | str, **options: str) -> SendingSettings:
    given = {"mail_from": "desk@example.org", "mail_user": "desk", "mail_authority": str(authority)}
    return SendingSettings.model_validate({"mail_server": f"127.0.0.1:{port}", **given, **options})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "mail.password").touch(mode=0o600)
    (tmp_path / "mail.password").write_text(PASSWORD)
    return tmp_path


async def test_the_desk_logs_in_once_the_line_is_encrypted(data: Path, authority: Path) -> None:
    server = Submission(certified(authority))
    async with running(server) as port:
        sending = messengers(settings(port, authority), data)
        assert sending is not None
        await sending.send("mail", "lee@example.org", "처리되었습니다.", "접수")

    words = [line.split(" ")[0].upper() for line in server.lines]
    assert words.index("STARTTLS") < words.index("AUTH") < words.index("MAIL")
    assert server.mails == 1


async def test_a_server_that_speaks_tls_from_the_first_byte(data: Path, authority: Path) -> None:
    server = Submission(None, tls_at_once=True)
    async with running(server, certified(authority)) as port:
        sending = messengers(settings(port, authority, mail_security="tls"), data)
        assert sending is not None
        await sending.send("mail", "lee@example.org", "x", "")

    assert server.mails == 1


async def test_no_password_goes_over_a_line_that_anybody_can_read(data: Path, authority: Path) -> None:
    server = Submission(None)
    async with running(server) as port:
        sending = messengers(settings(port, authority), data)
        assert sending is not None
        with pytest.raises(NotSent, match="STARTTLS"):
            await sending.send("mail", "lee@example.org", "x", "")

    assert not [line for line in server.lines if line.upper().startswith(("AUTH", "MAIL"))]


async def test_a_certificate_that_nobody_vouches_for_gets_no_mail(data: Path, authority: Path) -> None:
    server = Submission(certified(authority))
    async with running(server) as port:
        sending = messengers(settings(port, ""), data)
        assert sending is not None
        with pytest.raises(NotSent) as refused:
            await sending.send("mail", "lee@example.org", "x", "")

    assert "인증서" in refused.value.ko
    assert "certificate" in refused.value.en


async def test_a_refused_log_in_says_where_to_look_and_not_what_was_said(data: Path, authority: Path) -> None:
    (data / "mail.password").write_text("wrong password")
    async with running(Submission(certified(authority))) as port:
        sending = messengers(settings(port, authority), data)
        assert sending is not None
        with pytest.raises(NotSent) as refused:
            await sending.send("mail", "lee@example.org", "x", "")

    assert "535" in refused.value.ko
    assert "mail.password" in refused.value.en
    assert "wrong password" not in refused.value.ko + refused.value.en


async def test_a_refused_recipient_and_a_server_that_is_away_are_told_apart(data: Path, authority: Path) -> None:
    async with running(Submission(certified(authority))) as port:
        sending = messengers(settings(port, authority), data)
        assert sending is not None
        with pytest.raises(NotSent, match="refused the recipient"):
            await sending.send("mail", "nobody@example.org", "x", "")
    with pytest.raises(NotSent, match="could not be used"):
        await sending.send("mail", "lee@example.org", "x", "")


async def test_a_line_that_must_not_be_encrypted_is_not(authority: Path) -> None:
    server = Submission(certified(authority))
    async with running(server) as port:
        plain = MailServer("127.0.0.1", port, "desk@example.org", MailSecurity.NONE)
        await Messages(plain, None).send("mail", "lee@example.org", "x", "")

    assert "STARTTLS" not in server.lines
    assert server.mails == 1


def test_a_log_in_needs_its_password_and_encryption(tmp_path: Path, authority: Path) -> None:
    with pytest.raises(BadInput) as missing:
        messengers(settings(25, authority), tmp_path)
    assert "mail.password" in missing.value.ko
    with pytest.raises(ValueError, match="needs encryption"):
        settings(25, authority, mail_security="none")
    (tmp_path / "mail.password").touch(mode=0o600)
    (tmp_path / "mail.password").write_text(PASSWORD)
    with pytest.raises(BadInput, match="there is no"):
        messengers(settings(25, tmp_path / "no.pem"), tmp_path)
    assert PASSWORD not in repr(MailServer("a", 1, "b", password=PASSWORD))
