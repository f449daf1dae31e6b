"""Debian's Chromium, headless, with a tone for a microphone, and the small house of the desktop."""

import math
import os
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.browser.desk_house import DeskHouse, open_house
from tests.browser.flows_house import PATIENCE as PATIENCE
from tests.browser.flows_house import Front, Opened, open_menu_house

CHROMIUM = os.environ.get("CHANGGU_CHROMIUM", "/usr/bin/chromium")
FLAGS = (
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    # calls to this very machine, and no name looked up anywhere
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1",
)
CLEAN = "window.changguMicrophone = {echoCancellation: false, noiseSuppression: false, autoGainControl: false}"
"""Chromium's corrections would flatten a tone."""

LOUDEST = """async () => {
  const stream = document.getElementById("sound").srcObject;
  if (!stream) return 0;
  window.ear ??= new AudioContext();
  const analyser = new AnalyserNode(ear, { fftSize: 8192 });
  ear.createMediaStreamSource(stream).connect(analyser);
  const bins = new Float32Array(analyser.frequencyBinCount);
  await new Promise((heard) => setTimeout(heard, 400));
  analyser.getFloatFrequencyData(bins);
  const best = bins.indexOf(Math.max(...bins));
  return bins[best] < -70 ? 0 : (best * ear.sampleRate) / analyser.fftSize;
}"""
"""The loudest tone that this page hears, in hertz; 0 for silence."""

Launch = Callable[..., Awaitable[Browser]]

expect.set_options(timeout=PATIENCE)


async def hears(page: Page, hertz: float) -> None:
    """Within twenty seconds the page hears this tone, give or take what sampling does to it."""
    heard = 0.0
    for _ in range(40):
        heard = await page.evaluate(LOUDEST)
        if abs(heard - hertz) < 15:
            return
    raise AssertionError(f"heard {heard:.0f} Hz instead of {hertz:.0f} Hz")


def tone(path: Path, hertz: float) -> Path:
    """Ten seconds of a sine, as the fake microphone plays it over and over."""
    samples = bytearray()
    for n in range(48_000 * 10):
        samples += int(12_000 * math.sin(2 * math.pi * hertz * n / 48_000)).to_bytes(2, "little", signed=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(bytes(samples))
    return path


@pytest.fixture
async def chromium(tmp_path: Path) -> AsyncIterator[Launch]:
    """`await chromium()` or `await chromium(hertz=440)`: a browser of its own, so that each has its own microphone."""
    async with AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())

        async def launch(hertz: float | None = None) -> Browser:
            microphone = []
            if hertz is not None:
                microphone = [f"--use-file-for-fake-audio-capture={tone(tmp_path / f'{hertz:.0f}.wav', hertz)}"]
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *microphone])
            stack.push_async_callback(browser.close)
            return browser

        yield launch


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[tuple[DeskHouse, str]]:
    """The house without a PBX, and its address."""
    async with open_house(tmp_path) as opened:
        yield opened


Desktop = Callable[..., Awaitable[Page]]


@pytest.fixture
async def desktop(house: tuple[DeskHouse, str], chromium: Launch) -> Desktop:
    """`await desktop("kim")`: the agent's page, open and up to date. What goes wrong in a page fails the test."""
    browser = await chromium()
    behind, address = house

    async def open_page(login: str, language: str = "ko") -> Page:
        context = await browser.new_context(
            locale=language, timezone_id="Asia/Seoul", viewport={"width": 1600, "height": 1000}
        )
        context.set_default_timeout(PATIENCE)
        await behind.sign_in(context, login, address)
        page = await context.new_page()
        await page.goto(f"{address}/desk")
        await page.wait_for_selector("#now-word:not(:empty)")
        return page

    return open_page


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[tuple[Front, str]]:
    """The menu's pages, and their address."""
    async with open_menu_house(tmp_path) as opened:
        yield opened


@pytest.fixture
async def opened(front: tuple[Front, str], chromium: Launch) -> AsyncIterator[Opened]:
    """Supervisors before the menu's pages; what goes wrong in one fails the test."""
    opened = Opened(*front, await chromium())
    yield opened
    assert opened.complaints == []
