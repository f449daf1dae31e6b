"""What a desk needs to send mail and SMS and to ask web services: settings, and secrets in files of their own."""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from changgu.app.secret_files import secret, secret_text
from changgu.app.settings_group import Group, option
from changgu.app.settings_words import UnusableValue
from changgu.ground.trouble import BadInput
from changgu.telephony.ivr_messages import ADDRESS, MailSecurity, MailServer, Messages, SmsGateway, SmsService
from changgu.telephony.ivr_web import Credentials
from changgu.telephony.private_address import is_private_enough
from changgu.telephony.twilio_sms import TwilioAccount, TwilioSms

TOKEN_FILE = "sms.token"  # noqa: S105 - the name of the file, not what is in it
"""In the data folder, mode 0600: what the SMS gateway or Twilio wants to be told, and nothing else."""
TOKEN_VARIABLE = "CHANGGU_SMS_TOKEN"  # noqa: S105
PASSWORD_FILE = "mail.password"  # noqa: S105
"""In the data folder, mode 0600: the password of `mail_user`."""
PASSWORD_VARIABLE = "CHANGGU_MAIL_PASSWORD"  # noqa: S105
CREDENTIALS_FILE = "web_services.toml"
"""In the data folder, mode 0600: how web services that menus ask know the desk, host by host."""

MAIL_PORT, SUBMISSION_PORT, MAIL_TLS_PORT = 25, 587, 465


def _server(value: str) -> str:
    host, _, port = value.partition(":")
    if value and (not host or (port and not (port.isdecimal() and 0 < int(port) < 1 << 16))):
        raise UnusableValue("호스트 또는 호스트:포트로 쓰십시오", f"not host or host:port: {value}")
    return value


def _sender(value: str) -> str:
    if value and not ADDRESS.fullmatch(value):
        raise UnusableValue("desk@example.org와 같은 메일 주소로 쓰십시오", f"not a mail address: {value}")
    return value


def _encrypted(value: str) -> str:
    if value and not is_private_enough(value):
        raise UnusableValue(
            "https:// 주소로 쓰십시오(이 컴퓨터 안이면 http://도 됩니다). 토큰과 문자를 그리로 보냅니다",
            "must begin with https:// (or stay within this computer): the token and what is written are sent there",
        )
    return value


class SendingSettings(Group):
    """Messages that menus send to callers, and PINs to those whom they belong to: docs/messages.md."""

    mail_server: Annotated[str, AfterValidator(_server)] = option(
        "",
        "메일 서버(호스트 또는 호스트:포트). 비우면 메일을 보내지 않습니다",
        "The house's mail server, host or host:port; empty: no mail is sent",
    )
    mail_from: Annotated[str, AfterValidator(_sender)] = option(
        "", "보내는 사람의 메일 주소. 비우면 메일을 보내지 않습니다", "Whom mails come from; empty: no mail is sent"
    )
    mail_security: Literal["auto", "starttls", "tls", "none"] = option(
        "auto",
        "auto: 서버가 제공하면 STARTTLS(로그인할 때는 반드시), starttls: 반드시, tls: 처음부터 암호화(465), none: 평문",
        "auto: STARTTLS where offered, and always with a log-in; starttls: always; tls: from the first byte (465); "
        "none: never",
    )
    mail_user: str = option(
        "",
        "메일 서버에 로그인할 사용자. 비밀번호는 DATA/mail.password(0600) 또는 CHANGGU_MAIL_PASSWORD",
        "Who logs in there; the password is in DATA/mail.password (0600) or CHANGGU_MAIL_PASSWORD",
    )
    mail_authority: str = option(
        "",
        "메일 서버 인증서를 보증하는 기관의 파일(PEM). 비우면 이 컴퓨터가 믿는 기관",
        "The authority (PEM file) that vouches for the mail server; empty: those that this computer trusts",
    )
    sms_kind: Literal["gateway", "twilio"] = option(
        "gateway",
        "문자를 보내는 길. gateway: sms_url로 POST, twilio: Twilio",
        "How SMS leave: gateway: a POST to sms_url; twilio: over Twilio",
    )
    sms_url: Annotated[str, AfterValidator(_encrypted)] = option(
        "",
        "문자 게이트웨이 주소. to와 text를 JSON으로 POST합니다. 토큰은 DATA/sms.token. 비우면 문자를 보내지 않습니다",
        "Where an SMS is posted as JSON with to and text; its token is in DATA/sms.token; empty: none is sent",
    )
    twilio_account: Annotated[str, Field(pattern=r"^(AC[0-9a-fA-F]{32})?$")] = option(
        "",
        "Twilio 계정 SID. 인증 토큰은 DATA/sms.token(0600) 또는 CHANGGU_SMS_TOKEN",
        "Twilio's account SID; its auth token is in DATA/sms.token (0600) or CHANGGU_SMS_TOKEN",
    )
    twilio_from: Annotated[str, Field(pattern=r"^(\+[0-9]{8,15}|[0-9]{3,6}|[A-Za-z0-9 ]{1,11})?$")] = option(
        "",
        "보내는 번호(+국가번호), 단축번호 또는 발신자 이름",
        "Whom SMS come from: a number with + and country code, a short code or a sender's name",
        example="+15005550006",
    )
    twilio_service: Annotated[str, Field(pattern=r"^(MG[0-9a-fA-F]{32})?$")] = option(
        "", "twilio_from 대신 쓸 메시징 서비스 SID", "A messaging service's SID, instead of twilio_from"
    )
    twilio_region: Annotated[str, Field(pattern=r"^[a-z0-9]{0,8}$")] = option(
        "", "Twilio 지역(예: ie1, au1). 비우면 미국", "Twilio's region such as ie1 or au1; empty: the United States"
    )
    twilio_edge: Annotated[str, Field(pattern=r"^[a-z0-9-]{0,32}$")] = option(
        "", "Twilio 접속 지점(예: singapore)", "Twilio's edge, such as singapore"
    )
    twilio_address: Annotated[str, AfterValidator(_encrypted)] = option(
        "", "Twilio에 이르는 사내 중계 주소. 비우면 Twilio에 직접", "The house's relay to Twilio; empty: Twilio itself"
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.mail_user and self.mail_security == "none":
            raise UnusableValue(
                "로그인하려면 sending.mail_security를 none으로 두지 마십시오",
                "a log-in needs encryption: sending.mail_security must not be none",
            )
        if self.sms_kind == "twilio":
            if not self.twilio_account:
                raise UnusableValue("sending.twilio_account(AC…)도 쓰십시오", "also needs sending.twilio_account (AC…)")
            if bool(self.twilio_from) == bool(self.twilio_service):
                raise UnusableValue(
                    "sending.twilio_from과 sending.twilio_service 가운데 하나만 쓰십시오",
                    "give either sending.twilio_from or sending.twilio_service",
                )
        return self


def messengers(
    sending: SendingSettings, data: Path, international: Callable[[str], str | None] = lambda number: number
) -> Messages | None:
    """Who sends messages; None when nothing is set.

    Raises BadInput when a secret is missing or others can read it.
    """
    mail, sms = _mail(sending, data), _sms(sending, data)
    return Messages(mail, sms, international=international) if mail is not None or sms is not None else None


def _mail(sending: SendingSettings, data: Path) -> MailServer | None:
    host, _, port = sending.mail_server.partition(":")
    if not (host and sending.mail_from):
        return None
    password = secret(data / PASSWORD_FILE, PASSWORD_VARIABLE) if sending.mail_user else ""
    if sending.mail_user and not password:
        raise _missing("sending.mail_user", data / PASSWORD_FILE, PASSWORD_VARIABLE)
    authority = Path(sending.mail_authority).expanduser() if sending.mail_authority else None
    if authority is not None and not authority.is_file():
        raise BadInput(
            f"sending.mail_authority: {authority} 파일이 없습니다.", f"sending.mail_authority: there is no {authority}"
        )
    usual = MAIL_TLS_PORT if sending.mail_security == "tls" else SUBMISSION_PORT if sending.mail_user else MAIL_PORT
    return MailServer(
        host, int(port or usual), sending.mail_from, MailSecurity(sending.mail_security), sending.mail_user, password,
        str(authority or ""),
    )  # fmt: skip


def _sms(sending: SendingSettings, data: Path) -> SmsGateway | SmsService | None:
    if sending.sms_kind == "gateway":
        token = secret(data / TOKEN_FILE, TOKEN_VARIABLE) if sending.sms_url else ""
        return SmsGateway(sending.sms_url, token) if sending.sms_url else None
    token = secret(data / TOKEN_FILE, TOKEN_VARIABLE)
    if not token:
        raise _missing('sending.sms_kind = "twilio"', data / TOKEN_FILE, TOKEN_VARIABLE)
    return TwilioSms(
        TwilioAccount(
            sending.twilio_account, token, sending.twilio_from, sending.twilio_service, sending.twilio_region,
            sending.twilio_edge, sending.twilio_address,
        )
    )  # fmt: skip


def _missing(what: str, file: Path, variable: str) -> BadInput:
    return BadInput(
        f"{what}에는 비밀값이 있어야 합니다. {file}(0600)에 쓰거나 환경 변수 {variable}로 주십시오.",
        f"{what} needs its secret: write it to {file} (0600), or set {variable}",
    )


def web_credentials(data: Path) -> Mapping[str, Credentials]:
    """How each web service knows the desk, by host or host:port; empty without the file.

    Raises BadInput for what cannot be used; what is secret in it is never said.
    """
    file = data / CREDENTIALS_FILE
    try:
        read = tomllib.loads(secret_text(file))
    except tomllib.TOMLDecodeError as trouble:
        raise BadInput(f"{file}: TOML 문법에 맞지 않습니다.", f"{file} is not TOML") from trouble
    return {host.lower(): _credentials(file, host, said) for host, said in read.items()}


def _credentials(file: Path, host: str, said: object) -> Credentials:
    match said:
        case {"bearer": str() as token, **rest} if token and token.isascii() and not rest:
            return Credentials(bearer=token)
        case {"user": str() as user, "password": str() as password, **rest} if user and ":" not in user and not rest:
            return Credentials(user=user, password=password)
        case _:
            raise BadInput(
                f'{file}: ["{host}"]에는 bearer, 또는 user와 password를 쓰십시오.',
                f'{file}: ["{host}"] needs bearer, or user and password',
            )
