"""Hundreds of callers' sound in one process: everybody speaks every 20 ms, and each packet heard has the kernel's time.

The telephones of `sip_phones` make the calls. Here a few sockets carry all the sound (RFC 3550): one call of the
operating system sends a frame for fifty callers (sendmmsg), another fetches what came for them (recvmmsg). The kernel
stamps each packet when it arrives (SO_TIMESTAMPNS), so that it makes no difference when this program comes to read it.
"""

import ctypes
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

LINES = 10
"""Sockets. They take turns within a frame, so that not everybody speaks in the same instant."""
FRAME = 0.02
SAMPLES = 160
"""Of one frame at 8 kHz; as µ-law so many bytes."""
EVENTS = 101
"""Payload type of keys (RFC 4733)."""
KEY_FRAMES = 5
"""A key is held for 100 ms."""
END_PACKETS = 3
"""The end of a key is told so often (RFC 4733, 2.5.1.4)."""
BUFFER = 8 << 20
AT_ONCE = 256
"""Packets fetched by one call of the operating system."""

SO_RCVBUFFORCE, SO_TIMESTAMPNS, MSG_DONTWAIT = 33, 35, 0x40
_KEYS = "0123456789*#ABCD"

MESSAGE = np.dtype([
    ("name", "u8"), ("namelen", "u4"), ("_1", "u4"), ("iov", "u8"), ("iovlen", "u8"), ("control", "u8"),
    ("controllen", "u8"), ("flags", "i4"), ("_2", "u4"), ("length", "u4"), ("_3", "u4"),
])  # fmt: skip
"""struct mmsghdr of 64-bit Linux."""
PIECE = np.dtype([("base", "u8"), ("length", "u8")])
ADDRESS = np.dtype([("family", "u2"), ("port", ">u2"), ("host", "u1", 4), ("_", "u1", 8)])
STAMP = np.dtype([("length", "u8"), ("level", "i4"), ("kind", "i4"), ("seconds", "i8"), ("nanoseconds", "i8")])
PACKET = np.dtype([
    ("_", "u4"), ("version", "u1"), ("kind", "u1"), ("sequence", ">u2"), ("time", ">u4"), ("source", ">u4"),
    ("sound", "u1", SAMPLES),
])  # fmt: skip
"""An RTP packet behind four bytes that are not sent, which let its sound begin at a multiple of eight."""
HEARD = np.dtype([("at", "i8"), ("port", "u2"), ("sequence", "u2"), ("kind", "u1"), ("digest", "u8")])
"""A packet that came: nanoseconds since the epoch, from which port, RTP's sequence and payload type, what was in it."""

_WEIGHTS = np.random.default_rng(4733).integers(1, 2**63, SAMPLES // 8, dtype=np.uint64) * 2 + 1
_libc = ctypes.CDLL(None, use_errno=True)


def digests(frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """A number for what each frame (rows of 160 bytes) holds."""
    found: npt.NDArray[np.uint64] = (np.ascontiguousarray(frames).view(np.uint64) * _WEIGHTS).sum(axis=1)
    return found


@dataclass(slots=True, eq=False)
class Press:
    """A key, and when it was pressed and let go: its first packet, and the first that tells its end, in nanoseconds."""

    key: str
    began: int = 0
    ended: int = 0
    sent: int = 0


class CallerLine:
    """One caller's sound; what `SipPhones` knows of it is a port, and where to send."""

    formats = f"0 {EVENTS}"

    def __init__(self, line: "RtpLine", row: int) -> None:
        self._line = line
        self._row = row
        self._to: tuple[str, int] | None = None

    @property
    def port(self) -> int:
        """Where we listen; others do so there too."""
        return self._line.port

    @property
    def to(self) -> tuple[str, int] | None:
        """Where the PBX listens to this caller, and from where it speaks to them."""
        return self._to

    @to.setter
    def to(self, address: tuple[str, int] | None) -> None:
        self._to = address
        self._line.aim(self._row, address)

    def press(self, key: str) -> Press:
        """Press a key; the times are known when it has been sent."""
        press = Press(key)
        self._line.presses.append((self._row, press))
        return press

    def speak(self, frames: npt.NDArray[np.uint8], first: int = 0) -> None:
        """From now on say these frames over and over, beginning at one of them."""
        self._line.voices[self._row] = (frames, first)

    def close(self) -> None:
        """Say no more."""
        self.to = None


class RtpLine:
    """One socket, and the callers whose sound goes through it."""

    def __init__(self, seats: int, first: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)  # RTCP, which nobody reads
        while True:
            self._socket.bind(("127.0.0.1", 0))
            try:
                self._control.bind(("127.0.0.1", self.port + 1))
                break
            except (OSError, OverflowError):
                self._socket.close()
                self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.presses: deque[tuple[int, Press]] = deque()
        self.voices: dict[int, tuple[npt.NDArray[np.uint8], int]] = {}
        self.heard: list[npt.NDArray[Any]] = []
        self._pressing: dict[int, Press] = {}
        self._frames = 0
        self._active: npt.NDArray[np.intp] = np.zeros(0, np.intp)
        self._aimed = threading.Lock()
        self._packets = np.zeros(seats, PACKET)
        self._packets["version"] = 0x80
        self._packets["sound"] = 0xFF
        self._packets["source"] = first + np.arange(seats)
        self._names = np.zeros(seats, ADDRESS)
        self._pieces = np.zeros(seats, PIECE)
        self._pieces["base"] = _addresses(self._packets) + 4
        self._messages = _messages(self._names, self._pieces)
        self._in_packets = np.zeros(AT_ONCE, PACKET)
        self._in_names = np.zeros(AT_ONCE, ADDRESS)
        self._in_stamps = np.zeros(AT_ONCE, STAMP)
        self._in_pieces = np.zeros(AT_ONCE, PIECE)
        self._in_pieces["base"] = _addresses(self._in_packets) + 4
        self._in_pieces["length"] = PACKET.itemsize - 4
        self._in_messages = _messages(self._in_names, self._in_pieces)
        self._in_messages["control"] = _addresses(self._in_stamps)

    @property
    def port(self) -> int:
        """Where it is."""
        return int(self._socket.getsockname()[1])

    def aim(self, row: int, address: tuple[str, int] | None) -> None:
        """Send a caller's frames there from now on; None: nowhere."""
        with self._aimed:
            if address is not None:
                self._names[row]["family"] = socket.AF_INET
                self._names[row]["port"] = address[1]
                self._names[row]["host"] = tuple(socket.inet_aton(address[0]))
            rows = set(self._active.tolist())
            self._active = np.array(sorted(rows | {row} if address else rows - {row}), np.intp)

    def send(self) -> None:
        """Everybody's next frame."""
        with self._aimed:
            rows = self._active
        if not len(rows):
            return
        self._frames += 1
        packets = self._packets
        packets["sequence"][rows] += 1
        packets["time"][rows] = self._frames * SAMPLES & 0xFFFFFFFF
        packets["kind"][rows] = 0
        self._pieces["length"][rows] = 12 + SAMPLES
        for row, (frames, first) in list(self.voices.items()):
            packets["sound"][row] = frames[(first + self._frames) % len(frames)]
        for _ in range(len(self.presses)):
            row, press = self.presses.popleft()
            if self._pressing.setdefault(row, press) is not press:
                self.presses.append((row, press))  # one finger, one key
        over = [row for row, press in self._pressing.items() if self._key(row, press)]
        messages = self._messages[rows]
        sent = _libc.sendmmsg(self._socket.fileno(), ctypes.c_void_p(messages.ctypes.data), len(rows), 0)
        if sent < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        for row in over:
            del self._pressing[row]
            if row not in self.voices:
                packets["sound"][row] = 0xFF

    def _key(self, row: int, press: Press) -> bool:
        """Put the key's next packet in place of the sound; whether it was its last."""
        packet = self._packets[row]
        begun = self._frames - press.sent
        press.sent += 1
        now = time.time_ns()
        ended = press.sent > KEY_FRAMES
        press.began = press.began or now
        press.ended = press.ended or (now if ended else 0)
        held = min(press.sent, KEY_FRAMES) * SAMPLES
        packet["kind"] = EVENTS | (0x80 if press.sent == 1 else 0)
        packet["time"] = begun * SAMPLES & 0xFFFFFFFF
        packet["sound"][:4] = (_KEYS.index(press.key), 10 | (0x80 if ended else 0), held >> 8, held & 0xFF)
        self._pieces["length"][row] = 16
        return press.sent == KEY_FRAMES + END_PACKETS

    def fetch(self) -> None:
        """Note down what has come."""
        while True:
            messages = self._in_messages
            messages["namelen"] = ADDRESS.itemsize
            messages["controllen"] = STAMP.itemsize
            count = _libc.recvmmsg(
                self._socket.fileno(), ctypes.c_void_p(messages.ctypes.data), AT_ONCE, MSG_DONTWAIT, None
            )
            if count <= 0:
                return
            found = np.zeros(count, HEARD)
            stamps, packets = self._in_stamps[:count], self._in_packets[:count]
            found["at"] = stamps["seconds"] * 1_000_000_000 + stamps["nanoseconds"]
            found["port"] = self._in_names[:count]["port"]
            found["sequence"] = packets["sequence"]
            found["kind"] = packets["kind"] & 0x7F
            found["digest"] = digests(packets["sound"])
            self.heard.append(found[messages["length"][:count] == 12 + SAMPLES])
            if count < AT_ONCE:
                return

    def close(self) -> None:
        """Give the ports back."""
        self._socket.close()
        self._control.close()


def _addresses(rows: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    return (rows.ctypes.data + np.arange(len(rows)) * rows.itemsize).astype(np.uint64)


def _messages(names: npt.NDArray[Any], pieces: npt.NDArray[Any]) -> npt.NDArray[Any]:
    made = np.zeros(len(names), MESSAGE)
    made["name"], made["namelen"] = _addresses(names), ADDRESS.itemsize
    made["iov"], made["iovlen"] = _addresses(pieces), 1
    return made


@dataclass(slots=True)
class RtpLines:
    """All callers' sound. Used as a context; a thread of its own keeps time."""

    callers: list[CallerLine]
    late: list[float] = field(default_factory=list)
    """Seconds by which frames were sent too late, of those that were late by a frame or more: they were left out."""
    turns: int = 0
    """How often frames should have been sent."""
    trouble: BaseException | None = None
    _lines: Sequence[RtpLine] = ()
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @classmethod
    def open(cls, callers: int) -> "RtpLines":
        """So many callers, none of whom has called yet."""
        seats = -(-callers // LINES)
        lines = [RtpLine(seats, 1 + number * seats) for number in range(LINES)]
        return cls([CallerLine(lines[number % LINES], number // LINES) for number in range(callers)], _lines=lines)

    def __enter__(self) -> "RtpLines":
        self._thread = threading.Thread(target=self._run, name="sound", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        for line in self._lines:
            line.close()

    def heard(self) -> npt.NDArray[Any]:
        """Every packet so far, in order of time, as rows of `HEARD`."""
        if self.trouble is not None:
            raise self.trouble
        rows = [chunk for line in self._lines for chunk in list(line.heard)]
        found: npt.NDArray[Any] = np.concatenate(rows) if rows else np.zeros(0, HEARD)
        return found[np.argsort(found["at"], kind="stable")]

    def forget(self) -> None:
        """Count from here."""
        for line in self._lines:
            line.heard = []
        self.late, self.turns = [], 0

    def _run(self) -> None:
        try:
            turn, begun = 0, time.monotonic()
            while not self._over.is_set():
                due = begun + turn * FRAME / LINES
                if (ahead := due - time.monotonic()) > 0:
                    time.sleep(ahead)
                elif -ahead > FRAME:  # whoever kept us from it, the rest of our time is not for catching up
                    self.late.append(-ahead)
                    turn += int(-ahead / FRAME) * LINES
                line = self._lines[turn % LINES]
                line.send()
                line.fetch()
                turn += 1
                self.turns += 1
        except BaseException as trouble:  # told to whoever asks for the packets
            self.trouble = trouble
