"""Requests over HTTP hold nobody up, and leave nothing open."""

import asyncio
import subprocess
import sys

import pytest

from changgu.telephony.ari.client import Ari
from changgu.telephony.ari.errors import AriAway
from changgu.telephony.ari.stream import AriAddress, AriStream

FIRST_REQUEST = """
import asyncio, sys, threading
from changgu.telephony.ari.client import Ari
from changgu.telephony.ari.stream import AriAddress, AriStream

wanted, dialled = set(), []

def dialling(event, arguments):
    if event == "socket.connect":
        dialled.append(arguments[1])

sys.addaudithook(dialling)

class Watch:
    def find_spec(self, name, path=None, target=None):
        if threading.current_thread() is threading.main_thread():
            wanted.add(name)

async def answer(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: 2\\r\\n\\r\\n[]")
    await writer.drain()

async def main():
    pbx = await asyncio.start_server(answer, "127.0.0.1", 0)
    address = AriAddress("127.0.0.1", pbx.sockets[0].getsockname()[1], "changgu", "secret")
    async with Ari(AriStream(address, print), address) as ari:
        sys.meta_path.insert(0, Watch())
        print(await ari.blocking("GET", "channels"))
        print(set(dialled) - {pbx.sockets[0].getsockname()})
        print(sorted(one for one in wanted & set(sys.modules) if one.partition(".")[0] not in sys.stdlib_module_names))

asyncio.run(main())
"""


def test_the_first_request_over_http_does_not_make_callers_wait_while_it_is_read() -> None:
    """After a crash the first look at the PBX held all calls up for a tenth of a second. Nobody else is asked."""
    done = subprocess.run([sys.executable, "-c", FIRST_REQUEST], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["[]", "{'/dev/null'}", "[]"], done.stderr


async def test_what_is_asked_while_the_desk_closes_opens_no_connection_that_nobody_would_close() -> None:
    """What requests over HTTP need is still being read then."""
    opened: list[asyncio.StreamWriter] = []
    async with await asyncio.start_server(lambda _, writer: opened.append(writer), "127.0.0.1", 0) as pbx:
        address = AriAddress("127.0.0.1", pbx.sockets[0].getsockname()[1], "changgu", "secret")
        ari = Ari(AriStream(address, print), address)
        asked = asyncio.create_task(ari.blocking("GET", "channels", deadline=2))
        await asyncio.sleep(0)
        await ari.close()

        with pytest.raises(AriAway, match="closed"):
            await asked
        assert opened == []
