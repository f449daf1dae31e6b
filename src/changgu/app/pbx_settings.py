"""From the desk's settings and floor to the PBX's plan: which folders, ports, secrets, phones and queues it gets."""

import hashlib
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from changgu.acd.facts import Departure
from changgu.acd.identity import AgentId
from changgu.acd.queues import Floor, Queue
from changgu.app.generated_secrets import GeneratedSecrets
from changgu.app.outside_settings import OutsideSettings
from changgu.app.settings import Settings
from changgu.asterisk_conf.plan import PbxFloor, PbxPlan, ShadowQueue, Trunk, agent_phone
from changgu.telephony.admission import Admission
from changgu.telephony.pbx import host_addresses, pbx_folders
from changgu.telephony.pbx_packages import PbxRelease

EXISTING_QUEUE_LOG = Path("/var/log/asterisk/queue_log")
"""Where Asterisk's own packages have it written."""


@dataclass(frozen=True, slots=True)
class AriAccess:
    """How to reach ARI: `url` ends in `/ari`."""

    url: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AmiAccess:
    """How to reach AMI."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)


def ari_access(settings: Settings, secrets: GeneratedSecrets) -> AriAccess:
    """ARI of the private PBX, or of the existing one."""
    pbx = settings.pbx
    if pbx.kind == "existing":
        return AriAccess(pbx.ari_url.rstrip("/"), pbx.ari_user, pbx.ari_password)
    return AriAccess(f"http://127.0.0.1:{settings.ari.port}/ari", "changgu", secrets.ari_password)


def ami_access(settings: Settings, secrets: GeneratedSecrets) -> AmiAccess:
    """AMI of the private PBX, or of the existing one."""
    pbx = settings.pbx
    if pbx.kind == "existing":
        return AmiAccess(pbx.ami_host, pbx.ami_port, pbx.ami_user, pbx.ami_password)
    return AmiAccess("127.0.0.1", settings.ami.port, "changgu", secrets.ami_password)


def queue_log_file(settings: Settings) -> Path | None:
    """Where the PBX's own queue_log lies; None when it is somebody else's and cannot be read."""
    if settings.pbx.kind == "existing":
        return EXISTING_QUEUE_LOG if os.access(EXISTING_QUEUE_LOG, os.R_OK) else None
    return Path(pbx_folders(settings.data / "pbx", None).log) / "queue_log"


def pbx_plan(
    settings: Settings, secrets: GeneratedSecrets, release: PbxRelease | None, *, away_sound: Path | None = None,
    full_sound: Path | None = None,
) -> PbxPlan:  # fmt: skip
    """The plan of this data folder's private PBX, or (release=None) of an existing one.

    away_sound: a sound file without extension that callers hear while changgu is away; full_sound: that those hear
    who are too many then.
    """
    on_loopback = release is not None and settings.sip.bind in ("127.0.0.1", "::1")
    everywhere = release is None or settings.sip.bind in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
    audio = settings.rtp.address or (None if everywhere else settings.sip.bind)
    entity = hashlib.sha256(secrets.pbx_id.encode()).digest()[:5]
    return PbxPlan(
        folders=pbx_folders(settings.data / "pbx", release),
        system_name=f"c{secrets.pbx_id[:8]}",
        entity_id=":".join(["02", *(f"{byte:02x}" for byte in entity)]),
        ari_password=secrets.ari_password,
        ami_user=ami_access(settings, secrets).user,
        ami_password=secrets.ami_password,
        sip_bind=settings.sip.bind,
        sip_port=settings.sip.port,
        ari_port=settings.ari.port,
        ami_port=settings.ami.port,
        rtp_first=settings.rtp.first,
        rtp_last=settings.rtp.last,
        media_address=audio,
        host_addresses=host_addresses() if on_loopback else (),
        desk_numbers=tuple(
            number
            for number in (settings.desk.number, *settings.desk.other_numbers, settings.desk.pilot_number)
            if number
        ),
        main_queue=settings.desk.main_queue,
        visitor_secret=None if settings.visitor_phone.enabled == "off" else secrets.visitor_sip_secret,
        anonymous_callers=settings.sip.anonymous_callers,
        trunks=tuple(_trunk(name, addresses, settings.outside) for name, addresses in settings.sip.trunks.items()),
        away_sound=str(away_sound) if away_sound else None,
        most_callers=settings.most_callers,
        told_at_once=Admission(settings.most_callers).told_at_once,
        full_sound=str(full_sound) if full_sound else None,
        fax_folder=str((settings.data / "fax").resolve()) if release is not None else None,
        fax_number=settings.fax.number or None,
    )


def _trunk(name: str, addresses: tuple[str, ...], outside: OutsideSettings) -> Trunk:
    if name != outside.trunk:
        return Trunk(name, addresses)
    return Trunk(name, addresses, outside.contact, outside.user or None, outside.password or None)


def _most_waiting(queue: Queue) -> int:
    """The length at which the queue is full by its own rules; 0: never."""
    return min((max(1, int(rule.limit)) for rule in queue.overflows if rule.when is Departure.FULL), default=0)


def pbx_floor(floor: Floor, sip_passwords: Mapping[AgentId, str]) -> PbxFloor:
    """The phones and shadow queues of the floor; every agent needs a SIP password."""
    return PbxFloor(
        phones=tuple(agent_phone(agent.login, agent.phone, sip_passwords[agent.login]) for agent in floor.agents),
        queues=tuple(
            ShadowQueue(
                name=queue.name,
                number=queue.number,
                members=tuple(agent.login for agent in floor.agents if queue.name in agent.queues),
                ring_seconds=max(1, math.ceil(queue.ring_limit.total_seconds())),
                wrap_up_seconds=math.ceil(queue.wrap_up.total_seconds()),
                most_waiting=_most_waiting(queue),
            )
            for queue in floor.queues
        ),
    )
