"""An AMI witness independent of our own client: what the PBX itself says is up."""

import threading
from typing import Any

from asterisk.ami import AMIClient, SimpleAction


class Witness:
    """Asks the PBX over its manager interface with the `asterisk-ami` package."""

    def __init__(self, host: str, port: int, user: str, secret: str) -> None:
        self._client = AMIClient(address=host, port=port, timeout=5)
        answer = self._client.login(username=user, secret=secret).response
        assert answer is not None
        assert not answer.is_error(), str(answer)

    def close(self) -> None:
        """Log off."""
        self._client.logoff()

    def _list(self, action: str, item: str, end: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        done = threading.Event()

        def listen(event: Any, **_: Any) -> None:
            if event.name == item:
                found.append(dict(event.keys))
            elif event.name == end:
                done.set()

        listener = self._client.add_event_listener(listen, white_list=[item, end])
        try:
            answer = self._client.send_action(SimpleAction(action)).response
            assert answer is not None
            assert not answer.is_error(), str(answer)
            assert done.wait(5), f"the PBX did not finish {action}"
        finally:
            self._client.remove_event_listener(listener)
        return found

    def channels(self) -> list[str]:
        """Names of all channels that are up."""
        return [
            channel["Channel"]
            for channel in self._list("CoreShowChannels", "CoreShowChannel", "CoreShowChannelsComplete")
        ]

    def ready_in(self, queue: str) -> list[str]:
        """Names of the members whom a plain queue would ring."""
        members = self._list("QueueStatus", "QueueMember", "QueueStatusComplete")
        return [one["Name"] for one in members if one["Queue"] == queue and one["Paused"] == "0"]

    def bridges(self) -> list[str]:
        """Ids of all bridges."""
        return [bridge["BridgeUniqueid"] for bridge in self._list("BridgeList", "BridgeListItem", "BridgeListComplete")]
