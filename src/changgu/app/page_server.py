"""Serves the pages and the API: uvicorn, which says when it begins and leaves the signals to the desk."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

PING_EVERY = 10.0
"""Seconds between the questions by which open pages are found alive, and within which they must answer."""
PAGES_LIMIT = 5
"""Seconds that open pages and downloads may take to end."""
KEPT_OPEN = 75
"""Seconds for which an idle connection stays open: longer than clients and proxies (60 s is usual) keep theirs, so that
it is never closed just as the next question is on its way."""


class PageServer(uvicorn.Server):
    """uvicorn without its own signal handlers: closing the desk comes before closing the pages."""

    def __init__(self, front: FastAPI) -> None:
        config = uvicorn.Config(
            front,
            log_config=None,
            access_log=False,
            ws_per_message_deflate=False,
            ws_ping_interval=PING_EVERY,
            ws_ping_timeout=PING_EVERY,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=PAGES_LIMIT,
            timeout_keep_alive=KEPT_OPEN,
        )
        config.load()  # imports what speaks HTTP: here, where nobody waits for it, and not on the loop
        super().__init__(config)
        self.serving = asyncio.Event()
        """Set once pages are answered."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, and say so."""
        await super().startup(sockets)
        self.serving.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield
