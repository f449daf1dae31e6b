"""What the PBX is to be: its folders, ports and secrets, and the phones and queues it serves.

Every value that reaches a configuration file is checked here, because Asterisk reads `;`, `[` and line ends in a
value as something else: a login or an address can never add a line of its own.
"""

import re
from dataclasses import dataclass, fields
from enum import StrEnum

_SAFE = {
    "login": r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
    "queue name": r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}",
    "number": r"\+?[0-9]{1,15}",
    "sip address": r"sips?:(?:[A-Za-z0-9._~+-]{1,64}@)?(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
    r"(?:;transport=(?:udp|tcp))?",
    "address": r"[0-9A-Fa-f.:]{2,45}(?:/[0-9]{1,3})?",
    "host": r"[0-9A-Fa-f.:]{2,45}",
    "manager user": r"[A-Za-z0-9_.@-]{1,64}",
    "secret": r"[A-Za-z0-9_-]{12,128}",
    "folder": r"/[^;\[\]\n\r=>$]*",
    "system name": r"[A-Za-z0-9]{1,32}",
}


def checked(kind: str, value: str) -> str:
    """`value`, when it can stand in a configuration file as a `kind`; ValueError otherwise."""
    if re.fullmatch(_SAFE[kind], value) is None:
        raise ValueError(f"{value!r} cannot be a {kind} of the PBX")
    return value


class PhoneKind(StrEnum):
    """How an agent's phone is reached."""

    REGISTER = "register"
    """A SIP phone that registers with user name `agent-<login>`."""
    BROWSER = "browser"
    """The agent's page, over a WebSocket."""
    FIXED = "fixed"
    """A SIP address that never registers."""


@dataclass(frozen=True, slots=True)
class AgentPhone:
    """One agent's phone; its endpoint, SIP user name and contact list are all called `agent-<login>`."""

    login: str
    kind: PhoneKind
    secret: str
    """The SIP password; a fixed phone has one too, so that nobody can pose as it."""
    address: str | None = None
    """`sip:…`, of a fixed phone only."""

    def __post_init__(self) -> None:
        checked("login", self.login)
        checked("secret", self.secret)
        if (self.address is not None) != (self.kind is PhoneKind.FIXED):
            raise ValueError(f"the phone of {self.login} is {self.kind} and its address is {self.address!r}")
        if self.address is not None:
            checked("sip address", self.address)

    @property
    def endpoint(self) -> str:
        """Its name in pjsip.conf and its SIP user name."""
        return endpoint_name(self.login)


def endpoint_name(login: str) -> str:
    """The PJSIP endpoint of an agent: `agent-<login>`."""
    return f"agent-{login}"


def agent_phone(login: str, phone: str, secret: str) -> AgentPhone:
    """An agent's phone as the agent list writes it: `register`, `browser` or a `sip:` address."""
    if phone in (PhoneKind.REGISTER, PhoneKind.BROWSER):
        return AgentPhone(login, PhoneKind(phone), secret)
    return AgentPhone(login, PhoneKind.FIXED, secret, phone)


@dataclass(frozen=True, slots=True)
class ShadowQueue:
    """A plain Asterisk queue behind one of ours; it takes the callers while changgu is away."""

    name: str
    number: str | None
    members: tuple[str, ...]
    """Logins of the agents who serve it."""
    ring_seconds: int = 20
    wrap_up_seconds: int = 30
    most_waiting: int = 0
    """Callers who may wait in it; 0: as many as on the whole desk."""

    def __post_init__(self) -> None:
        checked("queue name", self.name)
        if self.number is not None:
            checked("number", self.number)
        for login in self.members:
            checked("login", login)


@dataclass(frozen=True, slots=True)
class PbxFloor:
    """The phones and queues the PBX serves."""

    phones: tuple[AgentPhone, ...] = ()
    queues: tuple[ShadowQueue, ...] = ()

    def __post_init__(self) -> None:
        for what, names in (
            ("phone", [phone.login for phone in self.phones]),
            ("queue", [queue.name for queue in self.queues]),
            ("queue number", [queue.number for queue in self.queues if queue.number]),
        ):
            if len(names) != len(set(names)):
                raise ValueError(f"the same {what} twice: {', '.join(sorted(names))}")


@dataclass(frozen=True, slots=True)
class Folders:
    """Where Asterisk keeps what: `releases` come from Debian, everything else belongs to one data folder."""

    etc: str
    variable: str
    spool: str
    run: str
    log: str
    modules: str
    data: str
    programs: str

    def __post_init__(self) -> None:
        for one in fields(self):
            checked("folder", getattr(self, one.name))


@dataclass(frozen=True, slots=True)
class Trunk:
    """A telephone company's or another PBX's line, known by the addresses it calls from.

    With a `contact` it can be dialled, too, as `PJSIP/<number>@trunk-<name>`; no phone and no caller reaches it by the
    dialplan, only changgu does, by its own dial plan.
    """

    name: str
    addresses: tuple[str, ...]
    contact: str | None = None
    """Where it takes our calls: `sip:203.0.113.5:5060`."""
    user: str | None = None
    """The name by which we prove who we are, where the other side asks for it."""
    secret: str | None = None

    def __post_init__(self) -> None:
        checked("queue name", self.name)
        for address in self.addresses:
            checked("address", address)
        if self.contact is not None:
            checked("sip address", self.contact)
        if (self.user is None) != (self.secret is None):
            raise ValueError(f"the trunk {self.name} has a user or a secret, but not both")
        if self.user is not None and self.secret is not None:
            checked("login", self.user)
            checked("secret", self.secret)

    @property
    def endpoint(self) -> str:
        """Its name in pjsip.conf."""
        return f"trunk-{self.name}"

    @property
    def dial_string(self) -> str | None:
        """How an outside number is reached over it, or None when it only brings calls."""
        return f"PJSIP/{{number}}@{self.endpoint}" if self.contact else None


@dataclass(frozen=True, slots=True)
class PbxPlan:
    """Everything else the configuration is rendered from."""

    folders: Folders
    system_name: str
    """Begins every Uniqueid, so that two PBXs never give two calls the same name."""
    entity_id: str
    """Six bytes as `02:aa:bb:cc:dd:ee`, unique to the data folder."""
    ari_password: str
    ami_password: str
    sip_bind: str = "127.0.0.1"
    sip_port: int = 5060
    ari_port: int = 8088
    ami_port: int = 5038
    rtp_first: int = 20000
    rtp_last: int = 20199
    media_address: str | None = "127.0.0.1"
    """The address offered for audio; None lets Asterisk offer those of its interfaces."""
    host_addresses: tuple[str, ...] = ()
    """The host's own addresses, replaced by `media_address` among the ICE candidates when that is loopback."""
    ari_user: str = "changgu"
    ami_user: str = "changgu"
    application: str = "changgu"
    desk_numbers: tuple[str, ...] = ("1000",)
    """The desk's main number first, then other numbers under which a trunk delivers it."""
    main_queue: str = "helpdesk"
    """Takes the main number's callers while changgu is away; the first queue does when there is none of this name."""
    visitor_secret: str | None = None
    """The SIP password of the visitors' browser phone; None when there is none."""
    anonymous_callers: bool = True
    """Whether any SIP phone may call the desk."""
    trunks: tuple[Trunk, ...] = ()
    away_sound: str | None = None
    """A sound file without extension, played to callers while changgu is away."""
    most_callers: int = 500
    """Callers who may wait in all plain queues together while changgu is away."""
    told_at_once: int = 50
    """Of those beyond, how many are told at one time; the others get the busy tone."""
    full_sound: str | None = None
    """A sound file without extension that tells them; without it all get the busy tone."""
    fax_folder: str | None = None
    """Where faxes are written for changgu; None when none are taken."""
    fax_number: str | None = None
    """A number at which a machine answers."""

    def __post_init__(self) -> None:
        checked("system name", self.system_name)
        checked("secret", self.ari_password)
        checked("secret", self.ami_password)
        checked("host", self.sip_bind)
        checked("queue name", self.main_queue)
        if re.fullmatch(r"02(:[0-9a-f]{2}){5}", self.entity_id) is None:
            raise ValueError(f"{self.entity_id!r} is not an entity id")
        for number in self.desk_numbers:
            checked("number", number)
        if self.visitor_secret is not None:
            checked("secret", self.visitor_secret)
        if self.media_address is not None:
            checked("host", self.media_address)
        for address in self.host_addresses:
            checked("host", address)
        if self.away_sound is not None:
            checked("folder", self.away_sound)
        if self.full_sound is not None:
            checked("folder", self.full_sound)
        if self.fax_folder is not None:
            checked("folder", self.fax_folder)
        if self.fax_number is not None:
            checked("number", self.fax_number)
        checked("manager user", self.ami_user)
        for user in (self.ari_user, self.application):
            checked("queue name", user)
        if not self.rtp_first < self.rtp_last:
            raise ValueError("the last RTP port must be above the first")
