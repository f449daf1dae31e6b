"""What the running service was given, so that other commands of its data folder speak of the desk that is open."""

import contextlib
import json
from collections.abc import Iterator

from changgu.app.data_folder import running_service
from changgu.app.settings import DeskSettings, Group, Settings, SipSettings, WebSettings
from changgu.ground.whole_file import write_whole

FILE = "running.json"
GROUPS: dict[str, type[Group]] = {"desk": DeskSettings, "web": WebSettings, "sip": SipSettings}
"""What others need to know: numbers and addresses. No group with a password is among them."""


@contextlib.contextmanager
def announced(settings: Settings) -> Iterator[None]:
    """While this lasts, `as_running` answers these numbers and addresses in this data folder."""
    file = settings.data / FILE
    write_whole(file, settings.model_dump_json(include=set(GROUPS), indent=1), fsync=False)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def as_running(settings: Settings) -> Settings:
    """The settings with the numbers and addresses that the service was started with, when it runs."""
    if running_service(settings.data) is None:
        return settings  # a file of a service that was killed says nothing
    try:
        told = json.loads((settings.data / FILE).read_text(encoding="utf-8"))
        return settings.model_copy(update={name: group.model_validate(told[name]) for name, group in GROUPS.items()})
    except (OSError, ValueError, KeyError):  # it opens at this moment, or is of another version than this command
        return settings
