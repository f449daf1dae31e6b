"""An Asterisk that is not ours: checked, given what depends on the floor, and otherwise left alone."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from changgu.asterisk_conf.render import FOR_EXISTING, RELOADS
from changgu.ground.whole_file import write_whole
from changgu.telephony.pbx_packages import PbxUnavailable, Version, dotted, parse_version

# Only who has an Asterisk of their own needs it, and it takes a while to import: after a crash callers wait for that.
if TYPE_CHECKING:
    import httpx

MINIMUM_EXISTING: Final[Version] = (20, 0, 0)


REST_OVER_WEBSOCKET: Final[Mapping[int, Version]] = {20: (20, 14, 0), 21: (21, 9, 0), 22: (22, 4, 0)}
"""The first release of each series that takes ARI requests over the event websocket; later series all do."""


def takes_rest_over_websocket(version: Version) -> bool:
    """Whether this Asterisk can be asked over the websocket; an older one is asked over HTTP."""
    return version >= REST_OVER_WEBSOCKET.get(version[0], (23, 0, 0))


async def existing_version(ari_url: str, user: str, password: str) -> Version:
    """The version of an Asterisk that is not ours; raises PbxUnavailable when it is too old or does not answer."""
    import httpx

    try:
        async with httpx.AsyncClient(auth=(user, password), timeout=10) as http:
            answer = await http.get(f"{ari_url.rstrip('/')}/asterisk/info", params={"only": "system"})
            answer.raise_for_status()
    except httpx.HTTPError as trouble:
        raise PbxUnavailable(
            f"기존 Asterisk의 ARI({ari_url})에 연결할 수 없습니다: {trouble}",
            f"The existing Asterisk's ARI at {ari_url} does not answer: {trouble}",
        ) from trouble
    version = parse_version(answer.json()["system"]["version"])
    if version < MINIMUM_EXISTING:
        raise PbxUnavailable(
            f"기존 Asterisk {dotted(version)}는 너무 오래되었습니다(20 이상 필요).",
            f"The existing Asterisk is {dotted(version)}; 20 is the least.",
        )
    return version


class ExistingPbx:
    """Stands where `PrivatePbx` does when the settings name an Asterisk that somebody else looks after.

    folder: where the files it includes are written, or None when its administrator sets up phones and numbers alone.
    """

    adopted = True

    def __init__(self, ari_url: str, user: str, password: str, folder: Path | None) -> None:
        self._ari_url = ari_url.rstrip("/")
        self._user = user
        self._password = password
        self._folder = folder
        self.version: Version | None = None

    @property
    def running(self) -> bool:
        """Whether it has answered; from then on the ARI connection tells."""
        return self.version is not None

    async def start(self, files: Mapping[str, str]) -> None:
        """Checks that it answers and is new enough, and hands it the configuration."""
        self.version = await existing_version(self._ari_url, self._user, self._password)
        await self.apply(files)

    async def apply(self, files: Mapping[str, str]) -> list[str]:
        """Writes what has changed of the files it includes and reloads the modules concerned, which it returns.

        Raises PbxUnavailable when a reload is refused; the next call tries it again.
        """
        if self._folder is None:
            return []
        try:
            changed = [name for name in FOR_EXISTING if self._differs(name, files[name])]
            if not changed:
                return []
            await asyncio.to_thread(self._write, self._folder, files, changed)
        except OSError as trouble:
            raise PbxUnavailable(
                f"기존 Asterisk의 설정 폴더(pbx.configuration_folder)에 쓸 수 없습니다: {trouble}",
                f"The existing Asterisk's folder (pbx.configuration_folder) cannot be written: {trouble}",
            ) from trouble
        modules = sorted((RELOADS[name] for name in changed), key=lambda module: module == "pbx_config.so")
        import httpx

        async with httpx.AsyncClient(auth=(self._user, self._password), timeout=10) as http:
            for module in modules:
                await self._reload(http, module)
        self._pending(self._folder).unlink(missing_ok=True)
        return modules

    async def _reload(self, http: "httpx.AsyncClient", module: str) -> None:
        import httpx

        try:
            (await http.put(f"{self._ari_url}/asterisk/modules/{module}")).raise_for_status()
        except httpx.HTTPError as trouble:
            raise PbxUnavailable(
                f"기존 Asterisk가 {module} 설정을 다시 읽지 못했습니다: {trouble}",
                f"The existing Asterisk did not reload {module}: {trouble}",
            ) from trouble

    async def supervise(self, back: Callable[[], None] = lambda: None) -> None:
        """Somebody else looks after it: waits until cancelled."""
        await asyncio.Event().wait()

    async def stop(self) -> None:
        """Leaves it running."""

    def _write(self, folder: Path, files: Mapping[str, str], names: list[str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._pending(folder).write_text("\n".join(names), encoding="utf-8")
        for name in names:
            write_whole(folder / name, files[name], mode=0o640)

    @staticmethod
    def _pending(folder: Path) -> Path:
        """Names the files that were written but perhaps not yet loaded."""
        return folder / "pending"

    def _differs(self, name: str, text: str) -> bool:
        assert self._folder is not None
        there, pending = self._folder / name, self._pending(self._folder)
        if pending.exists() and name in pending.read_text(encoding="utf-8").split():
            return True
        return not there.exists() or there.read_text(encoding="utf-8") != text
