"""What a desk needs to send callers mail and SMS: its settings, and the gateway's token from a file of its own."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from changgu.app.settings_group import Group, option
from changgu.ground.trouble import BadInput
from changgu.telephony.ivr_messages import ADDRESS, MailServer, Messages, SmsGateway

TOKEN_FILE = "sms.token"  # noqa: S105 - the name of the file, not what is in it
"""In the data folder, mode 0600: what the SMS gateway wants to be told, and nothing else."""

MAIL_PORT = 25


def _server(value: str) -> str:
    host, _, port = value.partition(":")
    if value and (not host or (port and not port.isdecimal())):
        raise ValueError(f"not host or host:port: {value}")
    return value


def _sender(value: str) -> str:
    if value and not ADDRESS.fullmatch(value):
        raise ValueError(f"not a mail address: {value}")
    return value


def _url(value: str) -> str:
    if value and not value.startswith(("https://", "http://")):
        raise ValueError(f"not an http or https address: {value}")
    return value


class SendingSettings(Group):
    """Messages that menus send to callers."""

    mail_server: Annotated[str, AfterValidator(_server)] = option(
        "",
        "메일 서버(호스트 또는 호스트:포트). 비우면 메일을 보내지 않습니다",
        "The house's mail server, host or host:port; empty: no mail is sent",
    )
    mail_from: Annotated[str, AfterValidator(_sender)] = option(
        "", "보내는 사람의 메일 주소. 비우면 메일을 보내지 않습니다", "Whom mails come from; empty: no mail is sent"
    )
    sms_url: Annotated[str, AfterValidator(_url)] = option(
        "",
        "문자 게이트웨이 주소. to와 text를 JSON으로 POST합니다. 토큰은 DATA/sms.token. 비우면 문자를 보내지 않습니다",
        "Where an SMS is posted as JSON with to and text; its token is in DATA/sms.token; empty: none is sent",
    )


def messengers(sending: SendingSettings, data: Path) -> Messages | None:
    """Who sends messages; None when nothing is set. Raises BadInput when others can read the token."""
    host, _, port = sending.mail_server.partition(":")
    mail = MailServer(host, int(port or MAIL_PORT), sending.mail_from) if host and sending.mail_from else None
    sms = SmsGateway(sending.sms_url, _token(data / TOKEN_FILE)) if sending.sms_url else None
    return Messages(mail, sms) if mail is not None or sms is not None else None


def _token(file: Path) -> str:
    if not file.exists():
        return ""
    if file.stat().st_mode & 0o077:
        raise BadInput(
            f"{file}을 다른 사용자가 읽을 수 있습니다. 다음을 실행하십시오: chmod 600 {file}",
            f"Other users can read {file}. Type: chmod 600 {file}",
        )
    return file.read_text("utf-8").strip()
