"""The least that a distributor over ARI can cost: it asks the PBX for what a call needs and does nothing else at all.

No rules, no ledger, no pages, no recovery: free agents in a line, callers in a line, the same requests that changgu
makes for a call, over the same websocket library and event loop, and an event filter that leaves out all other news.
It is no ACD that anybody could use. Beside it one sees what of changgu's figures is ARI's on this machine, and what
its own.

    python -m bench.bare_ari PORT USER SIZE      (the password comes on standard input)
"""

import asyncio
import base64
import signal
import sys
from collections import deque
from collections.abc import Callable
from typing import Any

import orjson
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

APP = "bare"
HEARD = ("StasisStart", "ChannelDestroyed", "RESTResponse")
RING_LIMIT = 20
"""Seconds."""
READY = "ready"
"""Said on standard output once calls are served."""


class BareDistributor:
    """First come, first served by whoever has been free for longest. `ask` makes a request to the PBX."""

    def __init__(self, ask: Callable[..., None], agents: list[str]) -> None:
        self._ask = ask
        self._free = deque(agents)
        self._waiting: deque[tuple[str, str]] = deque()
        self._with: dict[str, str] = {}
        """Call → the agent who is rung for it or speaks with it."""
        self._music: set[str] = set()

    def hear(self, news: dict[str, Any]) -> None:
        """One message of the PBX."""
        match news["type"]:
            case "StasisStart" if news["args"][0] == "caller":
                caller = news["channel"]
                self._waiting.append((caller["id"], caller["caller"]["number"]))
                self._offer()
                if self._waiting and self._waiting[-1][0] == caller["id"]:
                    self._ask("POST", f"channels/{caller['id']}/answer")
                    self._ask("POST", f"channels/{caller['id']}/moh")
                    self._music.add(caller["id"])
            case "StasisStart":
                self._join(news["args"][1])
            case "ChannelDestroyed":
                self._ended(news["channel"]["id"])
            case "RESTResponse" if news["status_code"] >= 400 and news["status_code"] != 404:
                raise RuntimeError(f"the PBX refused: {news}")
            case _:
                pass

    def _offer(self) -> None:
        while self._free and self._waiting:
            call, number = self._waiting.popleft()
            agent = self._with[call] = self._free.popleft()
            self._ask(
                "POST", "channels", endpoint=f"PJSIP/agent-{agent}", app=APP, appArgs=f"agent,{call}",
                channelId=f"leg-{call}", callerId=number, timeout=str(RING_LIMIT), originator=call,
            )  # fmt: skip

    def _join(self, call: str) -> None:
        if call in self._music:
            self._music.remove(call)
            self._ask("DELETE", f"channels/{call}/moh")
        else:
            self._ask("POST", f"channels/{call}/answer")
        self._ask("POST", "bridges", bridgeId=f"call-{call}", type="mixing")
        self._ask("POST", f"bridges/call-{call}/addChannel", channel=f"{call},leg-{call}")

    def _ended(self, channel: str) -> None:
        call = channel.removeprefix("leg-")
        if call == channel:
            return  # a caller, whom we hung up on; ours wait for as long as it takes
        self._free.append(self._with.pop(call))
        self._offer()
        self._ask("DELETE", f"channels/{call}")
        self._ask("DELETE", f"bridges/call-{call}")


class _Line(WSListener):
    def __init__(self, agents: list[str]) -> None:
        self._distributor = BareDistributor(self.ask, agents)
        self._asked = 0
        self._transport: WSTransport | None = None
        self.failure: BaseException | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is not WSMsgType.TEXT:
            return
        try:
            self._distributor.hear(orjson.loads(frame.get_payload_as_memoryview()))
        except BaseException as failure:
            self.failure = failure
            transport.disconnect(graceful=False)

    def ask(self, method: str, uri: str, body: Any = None, /, **query: str) -> None:
        self._asked += 1
        request: dict[str, Any] = {
            "type": "RESTRequest", "request_id": str(self._asked), "method": method, "uri": uri,
        }  # fmt: skip
        if query:
            request["query_strings"] = [{"name": name, "value": value} for name, value in query.items()]
        if body is not None:
            request |= {"content_type": "application/json", "message_body": orjson.dumps(body).decode()}
        assert self._transport is not None
        self._transport.send(WSMsgType.TEXT, orjson.dumps(request))


async def serve(port: int, user: str, password: str, agents: list[str]) -> None:
    """Distribute callers until SIGTERM; raises when the PBX refuses a request or goes."""
    authorization = base64.b64encode(f"{user}:{password}".encode()).decode()
    transport, line = await ws_connect(
        lambda *_: _Line(agents), f"ws://127.0.0.1:{port}/ari/events?app={APP}",
        extra_headers={"Authorization": f"Basic {authorization}"}, use_aiofastnet=False,
        enable_auto_ping=False, enable_auto_pong=True,
    )  # fmt: skip
    assert isinstance(line, _Line)
    line.ask("PUT", f"applications/{APP}/eventFilter", {"allowed": [{"type": kind} for kind in HEARD]})
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: transport.disconnect(graceful=False))
    print(READY, flush=True)
    await transport.wait_disconnected()
    if line.failure is not None:
        raise line.failure


def main(words: list[str]) -> None:
    """See the module."""
    from bench.floor import agents_named

    port, user, size = words
    uvloop.run(serve(int(port), user, sys.stdin.readline().strip(), agents_named(int(size))))


if __name__ == "__main__":
    main(sys.argv[1:])
