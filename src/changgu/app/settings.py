"""Every option of changgu, with its sentence, its unit and its default.

A setting is written in a TOML file (`--config FILE`, or `changgu.toml` in the data folder); the command line wins over
it. `changgu settings describe` prints a file with every option commented out, which is also its documentation.
Secrets are not settings: see `generated_secrets`.
"""

import difflib
import ipaddress
import os
import re
import tomllib
import zoneinfo
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from changgu.app.outside_settings import OutsideSettings
from changgu.app.sending import SendingSettings
from changgu.app.settings_group import Group, option
from changgu.app.settings_words import UnusableValue, toml_ko, unreadable_ko, why_ko
from changgu.app.speech_settings import SpeechSettings
from changgu.app.voice_settings import VoiceSettings
from changgu.ground.trouble import Trouble

__all__ = ["FILE_IN_DATA_FOLDER", "Group", "Settings", "SettingsError", "describe", "load", "option"]

FILE_IN_DATA_FOLDER: Final = "changgu.toml"


class SettingsError(Trouble):
    """A setting cannot be used; names the file and the key."""


def _address(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError as trouble:
        raise UnusableValue("127.0.0.1과 같은 IP 주소로 쓰십시오", "not an IP address such as 127.0.0.1") from trouble


def _network(value: str) -> str:
    if "/" not in value:
        return _address(value)
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError as trouble:
        raise UnusableValue(
            "203.0.113.0/24와 같은 IP 주소 범위로 쓰십시오", "not a network such as 203.0.113.0/24"
        ) from trouble


def _time_zone(value: str) -> str:
    try:
        return zoneinfo.ZoneInfo(value).key
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as trouble:
        raise UnusableValue(
            "Asia/Seoul과 같은 시간대 이름으로 쓰십시오", f"{value!r} is not a time zone such as Asia/Seoul"
        ) from trouble


def _regular_expression(value: str) -> str:
    try:
        re.compile(value)
    except re.error as trouble:
        raise UnusableValue("정규식이 아닙니다", f"not a regular expression: {trouble}") from trouble
    return value


def _origin(value: str) -> str:
    if value and re.fullmatch(r"https?://[^/\s]+", value) is None:
        raise UnusableValue(
            "https://desk.example.org처럼 경로 없이 쓰십시오", "must look like https://desk.example.org, without a path"
        )
    return value


def _socket(value: str) -> str:
    if value and re.fullmatch(r"wss?://\S+", value) is None:
        raise UnusableValue("wss://desk.example.org/ws처럼 쓰십시오", "must look like wss://desk.example.org/ws")
    return value


Address = Annotated[str, AfterValidator(_address)]
Network = Annotated[str, AfterValidator(_network)]
Port = Annotated[int, Field(ge=1, le=65535)]
Number = Annotated[str, Field(pattern=r"^\+?[0-9]{1,15}$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]


MUSIC_FOR_A_PROCESSOR = 150
"""Callers with music whom one processor of the private PBX carries beside the calls; each takes 0.2 % of it."""


class DeskSettings(Group):
    """The service desk itself."""

    name: str = option("서비스데스크", "화면 제목에 쓰는 창구 이름", "What the desk is called on its pages")
    number: Number = option("1000", "전화를 거는 사람이 누르는 대표번호", "The number callers dial for the menu")
    other_numbers: tuple[Number, ...] = option(
        (),
        "회선이 대표번호를 다른 번호로 전달할 때 그 번호들",
        "Other numbers under which a trunk delivers the desk's calls",
        example=["15771000"],
    )
    pilot_number: Annotated[str, Field(pattern=r"^(\+?[0-9]{1,15})?$")] = option(
        "",
        "메뉴 초안을 미리 들어 볼 번호. 비워 두면 없습니다",
        "The number at which the draft of the menu is heard; none when empty",
        example="1999",
    )
    menu_by_two: bool = option(
        False,
        "음성 메뉴는 초안을 저장한 적이 없는 다른 관리자가 방송합니다",
        "The menu is published by a supervisor who has not saved the draft since it began",
    )
    most_callers: Annotated[int, Field(ge=0, le=20000)] = option(
        0,
        "메뉴에 있거나 기다리는 사람이 이만큼이면 새 전화는 거절합니다. 0이면 음성 포트의 4분의 1, "
        "기존 Asterisk에서는 500",
        "With so many callers in the menu or waiting, new calls are refused; 0: a quarter of the audio ports, "
        "or 500 with an existing Asterisk",
    )
    music_at_once: Annotated[int, Field(ge=0, le=20000)] = option(
        0,
        "음악은 한 번에 이만큼의 대기자에게만 들려줍니다. 0이면 프로세서마다 150명, 기존 Asterisk에서는 모두",
        "So many waiting callers hear music at one time; 0: 150 for each processor, or all with an existing Asterisk",
    )
    main_queue: Name = option(
        "helpdesk",
        "changgu가 멈춘 동안 대표번호 전화를 받을 대기열",
        "The queue that takes the desk number's callers while changgu is away",
    )
    region: Annotated[str, Field(pattern="^[A-Z]{2}$")] = option(
        "KR", "국가번호 없는 전화번호의 나라(ISO 3166)", "The country of numbers written without one (ISO 3166)"
    )
    extensions: Annotated[str, AfterValidator(_regular_expression)] = option(
        "^[1-9][0-9]{2,4}$", "내선번호의 형식(정규식)", "What an internal extension looks like (regular expression)"
    )
    time_zone: Annotated[str, AfterValidator(_time_zone)] = option(
        "Asia/Seoul", "화면의 시각과 '오늘'의 기준 시간대", "The zone of shown times and of what 'today' means"
    )
    language: Literal["ko", "en"] = option("ko", "화면의 기본 언어", "The language pages open in")


class WebSettings(Group):
    """The pages and the REST interface."""

    host: Address = option("127.0.0.1", "웹 서버가 듣는 주소", "The address the web server listens on")
    port: Port = option(8000, "웹 서버 포트", "The web server's port")
    public_origin: Annotated[str, AfterValidator(_origin)] = option(
        "",
        "사람들이 브라우저에 넣는 주소. 비우면 http://host:port",
        "The address people open in the browser; empty means http://host:port",
        example="https://desk.example.org",
    )
    phone_socket: Annotated[str, AfterValidator(_socket)] = option(
        "",
        "브라우저 전화의 WebSocket 주소. 비우면 내장 PBX에 직접(같은 컴퓨터에서만)",
        "Where browser phones connect; empty means straight to the private PBX, from this computer only",
        example="wss://desk.example.org/ws",
    )
    pin_page: bool = option(
        False,
        "사람들이 PIN을 받고 정하는 페이지 /my-pin을 로그인 없이 엽니다",
        "Open /my-pin, on which people without an account ask for a PIN and choose one",
    )

    @property
    def origin(self) -> str:
        """The origin of our own pages, without a slash at the end."""
        if self.public_origin:
            return self.public_origin
        return f"http://{_in_url(_reachable(self.host))}:{self.port}"


class SipSettings(Group):
    """Telephone signalling of the private PBX."""

    bind: Address = option(
        "127.0.0.1", "SIP가 듣는 주소. 0.0.0.0은 모든 주소", "The address SIP listens on; 0.0.0.0 is all"
    )
    port: Port = option(5060, "SIP 포트(UDP와 TCP)", "The SIP port, UDP and TCP")
    anonymous_callers: bool = option(
        True,
        "등록하지 않은 SIP 전화도 창구에 걸 수 있는지",
        "Whether a SIP phone that is not registered may call the desk",
    )
    trunks: dict[Name, tuple[Network, ...]] = option(
        {},
        "통신사 또는 다른 교환기 회선: 이름과 발신 주소들",
        "Lines of a telephone company or another PBX: a name, and the addresses it calls from",
        example={"carrier": ["203.0.113.5"]},
    )


class RtpSettings(Group):
    """Audio of the private PBX."""

    first: Annotated[int, Field(ge=1024, le=65534)] = option(20000, "첫 음성 포트(UDP)", "The first audio port, UDP")
    last: Annotated[int, Field(ge=1025, le=65535)] = option(
        20199, "마지막 음성 포트. 통화마다 4개를 씁니다", "The last audio port; a conversation uses four"
    )
    address: Annotated[str, AfterValidator(lambda value: _address(value) if value else value)] = option(
        "",
        "전화기에 알릴 음성 주소. 비우면 sip.bind",
        "The audio address told to phones; empty means sip.bind",
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last - self.first < 9:
            raise UnusableValue(
                "rtp.last는 rtp.first보다 9 이상 크게 쓰십시오", "rtp.last must be at least 9 above rtp.first"
            )
        return self


class AriSettings(Group):
    """Asterisk's REST interface, loopback only, and the WebSocket of browser phones on the same port."""

    port: Port = option(8088, "내장 PBX의 ARI 포트", "The private PBX's ARI port")


class AmiSettings(Group):
    """Asterisk's manager interface, loopback only."""

    port: Port = option(5038, "내장 PBX의 AMI 포트", "The private PBX's AMI port")


class PbxSettings(Group):
    """Which Asterisk carries the audio."""

    kind: Literal["private", "existing"] = option(
        "private",
        "private: changgu가 Asterisk를 내려받아 돌봅니다. existing: 이미 있는 Asterisk(20 이상)를 씁니다",
        "private: changgu fetches and looks after an Asterisk; existing: it uses one you have (20 or newer)",
    )
    ari_url: str = option("", "기존 Asterisk의 ARI 주소", "ARI of the existing one", example="http://10.0.0.2:8088/ari")
    ari_user: str = option("changgu", "기존 Asterisk의 ARI 사용자", "ARI user of the existing one")
    ari_password: str = option("", "기존 Asterisk의 ARI 비밀번호", "ARI password of the existing one")
    ami_host: str = option("", "기존 Asterisk의 AMI 주소", "AMI host of the existing one", example="10.0.0.2")
    ami_port: Port = option(5038, "기존 Asterisk의 AMI 포트", "AMI port of the existing one")
    ami_user: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.@-]{1,64}$")] = option(
        "changgu", "기존 Asterisk의 AMI 사용자", "AMI user of the existing one"
    )
    ami_password: str = option("", "기존 Asterisk의 AMI 비밀번호", "AMI password of the existing one")
    stop_with_service: bool = option(
        True,
        "changgu를 멈추면 통화를 끝내고 내장 PBX도 멈출지. 끄면 통화가 계속되고 새 발신자는 예비 대기열에서 기다립니다",
        "Whether calls and the private PBX end with changgu; if not, calls go on and new callers get the plain queues",
    )
    agents_wait: bool = option(
        False,
        "changgu가 멈춘 사이 전화를 받은 요원이 음악을 들으며 30초까지 기다릴지. 벨마다 PBX에 요청이 하나 더 갑니다",
        "Whether agents who pick up while changgu is away wait for it, for 30 s at most; a request more a ring",
    )
    configuration_folder: str = option(
        "",
        "기존 Asterisk가 #include할 설정 파일을 쓸 폴더",
        "Where configuration for the existing one to #include is written; empty means nowhere",
        example="/etc/asterisk/changgu",
    )

    @model_validator(mode="after")
    def _existing_is_complete(self) -> Self:
        if self.kind == "existing":
            needed = ("ari_url", "ari_password", "ami_host", "ami_password")
            if missing := [name for name in needed if not getattr(self, name)]:
                names = ", ".join(f"pbx.{name}" for name in missing)
                raise UnusableValue(
                    f'kind = "existing"이면 다음도 쓰십시오: {names}', f'kind = "existing" also needs {names}'
                )
        return self


class VisitorPhoneSettings(Group):
    """The page on which somebody without a SIP phone calls the desk."""

    enabled: Literal["off", "loopback", "everywhere"] = option(
        "loopback",
        "off: 없음, loopback: 이 컴퓨터에서만, everywhere: 누구나",
        "off: no such page, loopback: from this computer only, everywhere: anybody",
    )


class RecordingSettings(Group):
    """Recorded conversations."""

    folder: str = option("", "녹취 파일 폴더. 비우면 DATA/recordings", "Their folder; empty means DATA/recordings")
    days: Annotated[int, Field(ge=1, le=3650)] = option(
        180,
        "녹취를 보관하는 날수. 지나면 지워집니다",
        "How long they are kept; then they are destroyed",
        unit="days / 일",
    )


class MessageSettings(Group):
    """Voice mail and fax that became tickets."""

    alert_minutes: Annotated[int, Field(ge=1, le=7 * 24 * 60)] = option(
        30,
        "음성메일이나 팩스에 이만큼 답하지 않으면 상담 화면에 알립니다",
        "How long a voice mail or fax may go without a reply before the desks are told",
        unit="minutes / 분",
    )
    alert_hours: str = option(
        "desk",
        "그 시간을 세는 근무시간표(calendars.yaml의 이름). 비우면 밤낮없이 셉니다",
        "The opening hours in which that time counts, a name of calendars.yaml; empty: day and night",
    )
    days: Annotated[int, Field(ge=1, le=3650)] = option(
        180,
        "팩스 파일과 PIN 입력 기록을 보관하는 날수. 지나면 지워집니다. 음성은 recordings.days",
        "How long faxes and guesses at PINs are kept; then they are destroyed. Voices: recordings.days",
        unit="days / 일",
    )
    folder: str = option(
        "", "팩스 파일 폴더. 비우면 DATA/attachments", "Where faxes are kept; empty means DATA/attachments"
    )


class SurveySettings(Group):
    """The survey of FORM-3, by keys."""

    after_call: bool = option(
        False,
        "상담원이 먼저 끊으면 남아 있는 발신자에게 4문항을 물을지",
        "Whether callers who stay on the line when the agent hangs up are asked the four questions",
    )
    by_telephone: bool = option(
        False,
        "해결된 접수의 요청자에게 전화를 걸어 물을지. 밖으로 거는 회선이 있어야 합니다",
        "Whether requesters who were invited are called for it; needs a line outside",
    )
    first_hour: Annotated[int, Field(ge=0, le=23)] = option(
        10, "설문 전화를 거는 첫 시각", "The hour from which requesters are called", unit="hour / 시"
    )
    last_hour: Annotated[int, Field(ge=1, le=24)] = option(
        18, "설문 전화를 거는 마지막 시각", "The hour until which requesters are called", unit="hour / 시"
    )
    calendar: str = option(
        "desk",
        "설문 전화를 거는 날과 시간의 근무시간표(calendars.yaml의 이름). 비우면 월~금",
        "The opening hours in which requesters are called, a name of calendars.yaml; empty: Monday to Friday",
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.first_hour >= self.last_hour:
            raise UnusableValue(
                "surveys.first_hour는 surveys.last_hour보다 앞이어야 합니다",
                "surveys.first_hour must be before surveys.last_hour",
            )
        return self


class FaxSettings(Group):
    """Faxes that come in over the private PBX."""

    number: Annotated[str, Field(pattern=r"^([0-9]{1,15})?$")] = option(
        "", "팩스 전용 번호. 비우면 없음", "A number for faxes only; empty means none", example="1009"
    )
    queue: str = option(
        "", "팩스를 맡을 대기열. 비우면 desk.main_queue", "The queue they are for; empty means desk.main_queue"
    )


class DemoSettings(Group):
    """The example organisation with simulated callers and agents."""

    enabled: bool = option(False, "예시 조직과 모의 통화를 쓸지", "Whether to fill in and run an example desk")
    calls_per_minute: Annotated[float, Field(ge=0, le=600)] = option(
        6.0, "모의 발신 수", "Simulated calls", unit="per minute / 분당"
    )


class LogSettings(Group):
    """The service's own log."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = option(
        "INFO", "기록할 최소 수준. DEBUG에는 발신번호가 나옵니다", "The least level written; DEBUG shows numbers"
    )


class Settings(Group):
    """All of them. `data` is the folder everything is kept in."""

    data: Path = option(Path("data"), "모든 것을 두는 데이터 폴더", "The folder everything is kept in")
    desk: DeskSettings = DeskSettings()
    web: WebSettings = WebSettings()
    sip: SipSettings = SipSettings()
    outside: OutsideSettings = OutsideSettings()
    rtp: RtpSettings = RtpSettings()
    ari: AriSettings = AriSettings()
    ami: AmiSettings = AmiSettings()
    pbx: PbxSettings = PbxSettings()
    visitor_phone: VisitorPhoneSettings = VisitorPhoneSettings()
    recordings: RecordingSettings = RecordingSettings()
    messages: MessageSettings = MessageSettings()
    sending: SendingSettings = SendingSettings()
    surveys: SurveySettings = SurveySettings()
    fax: FaxSettings = FaxSettings()
    voice: VoiceSettings = VoiceSettings()
    speech: SpeechSettings = SpeechSettings()
    demo: DemoSettings = DemoSettings()
    log: LogSettings = LogSettings()

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        ports = {"web.port": self.web.port}
        if self.pbx.kind == "private":
            ports |= {"sip.port": self.sip.port, "ari.port": self.ari.port, "ami.port": self.ami.port}
        for name, port in ports.items():
            if others := [other for other, same in ports.items() if same == port and other != name]:
                raise UnusableValue(
                    f"{name}, {others[0]}: 둘 다 {port}입니다. 서로 다르게 쓰십시오",
                    f"{name} and {others[0]} are both {port}",
                )
        if self.outside.trunk and self.outside.trunk not in self.sip.trunks:
            raise UnusableValue(
                f"outside.trunk: sip.trunks에 {self.outside.trunk} 회선이 없습니다",
                f"outside.trunk: sip.trunks has no line {self.outside.trunk}",
            )
        if self.desk.number in self.desk.other_numbers:
            raise UnusableValue(
                "desk.other_numbers에 desk.number가 또 있습니다", "desk.other_numbers repeats desk.number"
            )
        if self.desk.pilot_number in (self.desk.number, *self.desk.other_numbers):
            raise UnusableValue(
                "desk.pilot_number가 다른 번호와 같습니다", "desk.pilot_number is another number of the desk"
            )
        return self

    @property
    def recordings_folder(self) -> Path:
        """Where recorded conversations are kept."""
        return Path(self.recordings.folder).expanduser() if self.recordings.folder else self.data / "recordings"

    @property
    def attachments_folder(self) -> Path:
        """Where faxes are kept."""
        return Path(self.messages.folder).expanduser() if self.messages.folder else self.data / "attachments"

    @property
    def most_callers(self) -> int:
        """How many callers may be in the menu or wait at one time."""
        ports = self.rtp.last - self.rtp.first + 1
        return self.desk.most_callers or (max(2, ports // 4) if self.pbx.kind == "private" else 500)

    @property
    def music_at_once(self) -> int | None:
        """How many waiting callers hear music at one time; None: all."""
        if self.desk.music_at_once:
            return self.desk.music_at_once
        return MUSIC_FOR_A_PROCESSOR * (os.cpu_count() or 1) if self.pbx.kind == "private" else None

    @property
    def phone_socket(self) -> str:
        """The WebSocket address browser phones connect to."""
        return self.web.phone_socket or f"ws://127.0.0.1:{self.ari.port}/ws"

    @property
    def sip_address(self) -> str:
        """What a caller's SIP phone dials, such as `sip:1000@127.0.0.1:5060`."""
        return f"sip:{self.desk.number}@{_in_url(_reachable(self.sip.bind))}:{self.sip.port}"


def load(config_file: Path | None = None, overrides: Mapping[str, object] | None = None) -> Settings:
    """The settings of the file, with `overrides` (`{"web.port": 8001}`) on top.

    Without a file, `changgu.toml` in the data folder is read when it is there. Raises SettingsError.
    """
    given: dict[str, Any] = {}
    overrides = overrides or {}
    data = Path(str(overrides.get("data", "data"))).expanduser()
    if config_file is None and (data / FILE_IN_DATA_FOLDER).is_file():
        config_file = data / FILE_IN_DATA_FOLDER
    if config_file is not None:
        given = _read(config_file)
        if "data" in given:  # relative to the file, so that the service may start from anywhere
            given["data"] = config_file.resolve().parent / Path(str(given["data"])).expanduser()
    for key, value in overrides.items():
        table, _, name = key.rpartition(".")
        (given.setdefault(table, {}) if table else given)[name] = value
    try:
        settings = Settings.model_validate(given)
    except ValidationError as trouble:
        raise _explained(trouble, config_file, overrides) from trouble
    return settings.model_copy(update={"data": settings.data.expanduser().absolute()})


def describe() -> str:
    """A TOML file with every option commented out, its sentence in both languages, its unit and its default."""
    lines = [
        "# changgu 설정 / settings",
        "# 필요한 줄의 #을 지우고 고치십시오. Remove the # of a line to change it.",
        "",
    ]
    for name, field in Settings.model_fields.items():
        if not _is_group(field):
            lines += [*_described(name, field), ""]
    for name, field in Settings.model_fields.items():
        if _is_group(field):
            group = _group_of(field)
            lines += [f"[{name}]", f"# {(group.__doc__ or '').strip()}", ""]
            for inner, inner_field in group.model_fields.items():
                lines += [*_described(inner, inner_field), ""]
    return "\n".join(lines).rstrip() + "\n"


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as trouble:
        why = trouble.strerror if isinstance(trouble, OSError) else trouble
        raise SettingsError(f"{file}: {unreadable_ko(trouble)}", f"{file}: cannot be read: {why}") from trouble
    except tomllib.TOMLDecodeError as trouble:
        raise SettingsError(f"{file}: {toml_ko(trouble)}", f"{file}: is not TOML: {trouble}") from trouble


def _explained(trouble: ValidationError, file: Path | None, overrides: Mapping[str, object]) -> SettingsError:
    """Every mistake on a line of its own, with the file, the key and what would be right."""
    ko: list[str] = []
    en: list[str] = []
    for mistake in trouble.errors(include_url=False):
        key = ".".join(str(part) for part in mistake["loc"])
        from_command_line = key in overrides or file is None
        where_ko, where_en = ("명령줄", "the command line") if from_command_line else (str(file), str(file))
        if mistake["type"] == "extra_forbidden":
            close = difflib.get_close_matches(key, list(_keys()), n=1)
            ko.append(f"{where_ko}: 모르는 설정 {key}" + (f" ({close[0]}?)" if close else ""))
            en.append(f"{where_en}: there is no setting {key}" + (f"; do you mean {close[0]}?" if close else ""))
        else:
            why = mistake["msg"].removeprefix("Value error, ")
            at = f"{key} = {mistake['input']!r}" if key and not isinstance(mistake["input"], Mapping) else key
            at = "pbx" if key.startswith("pbx") and "password" in key else at
            before = f"{at}: " if at else ""  # a mistake between groups has no key of its own
            ko.append(f"{where_ko}: {before}{why_ko(mistake)}")
            en.append(f"{where_en}: {before}{why}")
    return SettingsError("\n".join(ko), "\n".join(en))


def _keys() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        if _is_group(field):
            yield from (f"{name}.{inner}" for inner in _group_of(field).model_fields)
        else:
            yield name


def _is_group(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, Group)


def _group_of(field: FieldInfo) -> type[Group]:
    assert isinstance(field.annotation, type)
    assert issubclass(field.annotation, Group)
    return field.annotation


def _described(name: str, field: FieldInfo) -> list[str]:
    extra = field.json_schema_extra
    assert isinstance(extra, dict)
    unit = f" ({extra['unit']})" if extra.get("unit") else ""
    lines = [f"# {extra['ko']}{unit}", f"# {field.description}{unit}"]
    if extra.get("example") is not None:
        lines.append(f"# 예 / for example: {name} = {_toml(extra['example'])}")
    return [*lines, f"#{name} = {_toml(field.default)}"]


def _toml(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case Mapping():
            return "{" + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + "}"
        case tuple() | list():
            return "[" + ", ".join(_toml(inner) for inner in value) + "]"
        case _:
            text = str(value).replace("\\", "\\\\").replace('"', '\\"')
            return f'"{text}"'


def _reachable(address: str) -> str:
    """An address one can connect to: the loopback one instead of "all addresses"."""
    parsed = ipaddress.ip_address(address)
    return ("::1" if parsed.version == 6 else "127.0.0.1") if parsed.is_unspecified else address


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address
