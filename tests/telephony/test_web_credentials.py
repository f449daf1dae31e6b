"""How web services that menus ask know the desk: by host, out of a file of its own, and over a private line only."""

from base64 import b64encode
from pathlib import Path

import httpx
import pytest

from changgu.app.sending import web_credentials
from changgu.ground.trouble import BadInput
from changgu.telephony.ivr_web import Credentials, WebAnswerTrouble, WebLookUps

FILE = """
["api.example.org"]
bearer = "abc"
["cmdb.example.org:8443"]
user = "changgu"
password = "비밀"
["127.0.0.1"]
bearer = "here"
"""


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "web_services.toml"
    file.touch(mode=mode)
    file.write_text(text, "utf-8")
    return folder


async def test_each_host_is_told_its_own_and_no_other(tmp_path: Path) -> None:
    asked: list[tuple[str, str | None]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((str(request.url), request.headers.get("authorization")))
        return httpx.Response(200, json={"a": 1})

    web = WebLookUps(httpx.MockTransport(answer), web_credentials(written(tmp_path, FILE)))
    basic = "Basic " + b64encode("changgu:비밀".encode()).decode()
    for url, told in {
        "https://api.example.org/x": "Bearer abc", "https://API.example.org:443/x": "Bearer abc",
        "https://cmdb.example.org:8443/": basic, "https://cmdb.example.org/": None,
        "https://other.example.org/": None, "http://other.example.org/": None,
        "https://api.example.org.evil.example/": None, "http://127.0.0.1:9000/": "Bearer here",
    }.items():  # fmt: skip
        await web.get(url, (), 1)
        assert asked[-1][1] == told, url

    before = len(asked)
    with pytest.raises(WebAnswerTrouble):
        await web.get("http://api.example.org/x", (), 1)
    assert len(asked) == before


@pytest.mark.parametrize(
    "text", ['["a"]\nbearer = 1', '["a"]\nuser = "x"', '["a"]\nbearer = "s"\nuser = "x"', 'a = "secret"', "[", '["a"]'],
)
def test_a_file_that_cannot_be_used_is_refused_without_its_secrets(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput) as refused:
        web_credentials(written(tmp_path, text))

    assert "web_services.toml" in refused.value.ko
    assert "secret" not in refused.value.ko + refused.value.en


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    assert not web_credentials(tmp_path)
    written(tmp_path, FILE).joinpath("web_services.toml").chmod(0o640)
    with pytest.raises(BadInput, match="chmod 600"):
        web_credentials(tmp_path)
    assert "abc" not in repr(Credentials(bearer="abc"))
