"""A web server for files that breaks off, forgets ranges or lies about them when it is told to."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class FileServer:
    """Serves a folder on the loopback address; what it was asked is in `asked`, as (path, range)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[tuple[str, str]] = []
        self.break_after: dict[str, list[int]] = {}
        """Path → after how many bytes of each further answer the connection is lost."""
        self.knows_ranges = True
        self.lies_about_ranges = False
        self.status: dict[str, int] = {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"


@contextmanager
def served(folder: Path) -> Iterator[FileServer]:
    files = FileServer(folder)
    thread = threading.Thread(target=files.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield files
    finally:
        files.server.shutdown()
        files.server.server_close()
        thread.join()


def _handler(files: FileServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.lstrip("/")
            wanted = self.headers.get("Range", "")
            files.asked.append((path, wanted))
            if path in files.status or not (files.folder / path).is_file():
                self.send_error(files.status.get(path, 404))
                return
            content = (files.folder / path).read_bytes()
            first = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and files.knows_ranges else 0
            rest = content[first:]
            self.send_response(206 if first else 200)
            if first:
                said = 0 if files.lies_about_ranges else first
                self.send_header("Content-Range", f"bytes {said}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            breaks = files.break_after.get(path)
            self.wfile.write(rest[: breaks.pop(0)] if breaks else rest)
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            return

    return Handler
