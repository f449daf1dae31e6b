"""The PBX's whole configuration, rendered from the plan and the floor; nothing else writes any of it."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from changgu.asterisk_conf.pbx_modules import AMI_EVENTS, AMI_EVENTS_OF_NOBODY, MODULES, NEWS_OF_NOBODY
from changgu.asterisk_conf.plan import PbxFloor, PbxPlan

# What reads templates is imported when something is rendered: mostly a start finds the files of the last one.
if TYPE_CHECKING:
    from jinja2 import Environment

FILES = (
    "acl.conf",
    "ari.conf",
    "asterisk.conf",
    "ccss.conf",
    "cdr.conf",
    "cel.conf",
    "dialplan.conf",
    "extensions.conf",
    "features.conf",
    "http.conf",
    "indications.conf",
    "logger.conf",
    "manager.conf",
    "modules.conf",
    "musiconhold.conf",
    "pjproject.conf",
    "pjsip.conf",
    "pjsip_phones.conf",
    "queuerules.conf",
    "queues.conf",
    "res_fax.conf",
    "rtp.conf",
    "shadow_queues.conf",
    "stasis.conf",
    "udptl.conf",
    "websocket_client.conf",
)

RELOADS: Mapping[str, str] = {
    "dialplan.conf": "pbx_config.so",
    "musiconhold.conf": "res_musiconhold.so",
    "pjsip_phones.conf": "res_pjsip.so",
    "rtp.conf": "res_rtp_asterisk.so",
    "shadow_queues.conf": "app_queue.so",
}
"""The module to reload when a file has changed; the files not named here take a restart of the PBX."""

FOR_EXISTING = ("dialplan.conf", "pjsip_phones.conf", "shadow_queues.conf")
"""The files an Asterisk that is not ours can `#include`: all that depends on the floor."""


class NumberError(ValueError):
    """A number would lead to two places at once."""


def render(plan: PbxPlan, floor: PbxFloor) -> dict[str, str]:
    """Every file of the configuration by its name, such as `pjsip.conf`."""
    names = {queue.name for queue in floor.queues}
    numbers = {queue.number: queue.name for queue in floor.queues if queue.number is not None}
    if taken := set(numbers) & set(plan.desk_numbers):
        raise NumberError(f"{', '.join(sorted(taken))} is the number of a queue and of the desk")
    if plan.fax_number is not None and plan.fax_number in {*numbers, *plan.desk_numbers}:
        raise NumberError(f"{plan.fax_number} is the number for faxes and another one, too")
    known = {phone.login for phone in floor.phones}
    for queue in floor.queues:
        if strangers := set(queue.members) - known:
            raise ValueError(f"agents of {queue.name} without a phone: {', '.join(sorted(strangers))}")
    main = plan.main_queue if plan.main_queue in names else next((queue.name for queue in floor.queues), None)
    routes = {**dict.fromkeys(plan.desk_numbers, main), **numbers}
    environment = _environment()
    return {
        name: environment.get_template(f"{name}.j2").render(plan=plan, floor=floor, folders=plan.folders, routes=routes)
        for name in FILES
    }


def reloads_for(changed: set[str]) -> list[str] | None:
    """The modules to reload after these files changed, in a safe order; None when only a restart applies them.

    The dialplan goes last: a number is reachable only once its queue and its agents' phones exist.
    """
    if not changed <= RELOADS.keys():
        return None
    return sorted((RELOADS[name] for name in changed), key=lambda module: (module == "pbx_config.so", module))


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("changgu.asterisk_conf"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - the values are checked in plan.py; this is not HTML
    )
    environment.filters["host"] = _bracketed
    environment.globals.update(
        modules=MODULES, ami_events=AMI_EVENTS, ami_events_of_nobody=AMI_EVENTS_OF_NOBODY,
        news_of_nobody=NEWS_OF_NOBODY,
    )  # fmt: skip
    return environment


def _bracketed(address: str) -> str:
    """An IPv6 address as it stands before a port."""
    return f"[{address}]" if ":" in address else address
