"""Settings: every option described, every mistake named with its file and key; secrets made once."""

import re
import tomllib
from pathlib import Path

import pytest

from changgu.app import options, settings
from changgu.app.generated_secrets import FILE, GeneratedSecrets, SecretsUnusable, secrets_of
from changgu.app.settings import Settings, SettingsError, describe, load


def write(folder: Path, text: str) -> Path:
    file = folder / "desk.toml"
    file.write_text(text, encoding="utf-8")
    return file


def uncommented(text: str) -> str:
    return "\n".join(line[1:] if re.match(r"#\w+ = ", line) else line for line in text.splitlines())


def test_without_a_file_everything_has_its_default(tmp_path: Path) -> None:
    loaded = load(None, {"data": tmp_path})
    assert loaded.web.origin == "http://127.0.0.1:8000"
    assert loaded.sip_address == "sip:1000@127.0.0.1:5060"
    assert loaded.phone_socket == "ws://127.0.0.1:8088/ws"
    assert loaded.recordings_folder == tmp_path / "recordings"


def test_the_description_names_every_option_with_its_default(tmp_path: Path) -> None:
    described = tomllib.loads(uncommented(describe()))
    groups = {name for name, field in Settings.model_fields.items() if name != "data"}
    assert groups | {"data"} == set(described)
    for group in groups:
        assert set(described[group]) == set(getattr(Settings(), group).__class__.model_fields)

    everything = write(tmp_path, uncommented(describe()))

    assert load(everything) == load(None, {"data": tmp_path / "data"})


def test_the_description_is_all_comments_and_tables(tmp_path: Path) -> None:
    assert all(not line or line[0] in "#[" for line in describe().splitlines())
    assert load(write(tmp_path, describe()), {"data": tmp_path}) == load(None, {"data": tmp_path})


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, '[web]\nport = 8001\nhost = "127.0.0.2"\n')
    loaded = load(file, {"web.port": 8002, "data": tmp_path})
    assert (loaded.web.port, loaded.web.host) == (8002, "127.0.0.2")


def test_the_data_folder_s_own_file_is_read_when_no_other_is_named(tmp_path: Path) -> None:
    (tmp_path / "changgu.toml").write_text('[desk]\nnumber = "2000"\n')
    assert load(None, {"data": tmp_path}).desk.number == "2000"


def test_a_data_folder_in_a_file_is_relative_to_the_file(tmp_path: Path) -> None:
    assert load(write(tmp_path, 'data = "here"\n')).data == tmp_path / "here"


def test_a_data_folder_on_the_command_line_is_relative_to_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None, {"data": "there"}).data == tmp_path / "there"
    assert load(None).data == tmp_path / "data"


def test_options_that_were_not_given_do_not_count(tmp_path: Path) -> None:
    loaded = options.settings_from(tmp_path, None, {"web.port": None, "sip.port": 5070})
    assert (loaded.web.port, loaded.sip.port) == (8000, 5070)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[web]\nprot = 1\n", "there is no setting web.prot; do you mean web.port?"),
        ("[wob]\nport = 1\n", "there is no setting wob"),
        ('[web]\nport = "x"\n', "web.port = 'x': Input should be a valid integer"),
        ("[web]\nport = 70000\n", "web.port = 70000"),
        ('[web]\npublic_origin = "desk.example.org"\n', "must look like https://desk.example.org"),
        ('[web]\nphone_socket = "http://x"\n', "must look like wss://"),
        ('[sip]\nbind = "everywhere"\n', "sip.bind = 'everywhere'"),
        ('[sip.trunks]\ncarrier = ["203.0.113.5", "x"]\n', "sip.trunks.carrier.1 = 'x'"),
        ('[desk]\ntime_zone = "Asia/Seuol"\n', "'Asia/Seuol' is not a time zone"),
        ('[desk]\nextensions = "("\n', "not a regular expression"),
        ('[desk]\nregion = "Korea"\n', "desk.region = 'Korea'"),
        ('[desk]\nother_numbers = ["1000"]\n', "repeats desk.number"),
        ("[rtp]\nfirst = 20000\nlast = 20001\n", "rtp.last must be at least 9 above rtp.first"),
        ("[ari]\nport = 5060\n", "sip.port and ari.port are both 5060"),
        ('[pbx]\nkind = "existing"\n', "also needs pbx.ari_url, pbx.ari_password, pbx.ami_host, pbx.ami_password"),
        ("[web\n", "is not TOML"),
    ],
)
def test_a_mistake_is_named_with_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    file = write(tmp_path, text)

    with pytest.raises(SettingsError) as refused:
        load(file, {"data": tmp_path})

    assert said in refused.value.en
    assert str(file) in refused.value.en
    assert str(file) in refused.value.ko


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[web]\nport = "x"\n', "web.port = 'x': 정수로 쓰십시오"),
        ("[web]\nport = 70000\n", "web.port = 70000: 65535 이하로 쓰십시오"),
        ("[web]\nport = 0\n", "web.port = 0: 1 이상으로 쓰십시오"),
        ('[demo]\ncalls_per_minute = "many"\n', "숫자로 쓰십시오"),
        ('[demo]\nenabled = "perhaps"\n', "true나 false로 쓰십시오"),
        ("[desk]\nname = 3\n", "큰따옴표로 묶은 글자로 쓰십시오"),
        ('[desk]\nlanguage = "de"\n', "다음 가운데 하나로 쓰십시오: 'ko', 'en'"),
        ('[desk]\nregion = "Korea"\n', "정규식 ^[A-Z]{2}$에 맞추어 쓰십시오"),
        (f'[voice]\nname = "{"a" * 201}"\n', "200자 이하로 쓰십시오"),
        ('[desk]\nother_numbers = "1000"\n', '["가", "나"]처럼 목록으로 쓰십시오'),
        ('[desk]\nother_numbers = ["1000"]\n', "desk.other_numbers에 desk.number가 또 있습니다"),
        ('[desk]\ntime_zone = "Asia/Seuol"\n', "Asia/Seoul과 같은 시간대 이름으로 쓰십시오"),
        ('[desk]\nextensions = "("\n', "정규식이 아닙니다"),
        ("web = 3\n", "[이름] 표로 쓰십시오"),
        ('[web]\npublic_origin = "desk.example.org"\n', "https://desk.example.org처럼"),
        ('[web]\nphone_socket = "http://x"\n', "wss://desk.example.org/ws처럼"),
        ('[sip]\nbind = "everywhere"\n', "127.0.0.1과 같은 IP 주소로 쓰십시오"),
        ('[sip.trunks]\ncarrier = ["10.0.0.0/99"]\n', "203.0.113.0/24와 같은 IP 주소 범위로 쓰십시오"),
        ("[rtp]\nfirst = 20000\nlast = 20001\n", "rtp.last는 rtp.first보다 9 이상"),
        ("[ari]\nport = 5060\n", "sip.port, ari.port: 둘 다 5060입니다"),
        ('[pbx]\nkind = "existing"\n', "다음도 쓰십시오: pbx.ari_url"),
        ("[web\n", "에서 TOML 문법에 맞지 않습니다"),
    ],
)
def test_a_mistake_is_explained_in_korean_too(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(write(tmp_path, text), {"data": tmp_path})

    assert said in refused.value.ko
    assert "Input" not in refused.value.ko


def test_a_mistake_on_the_command_line_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        load(write(tmp_path, ""), {"web.port": 0, "data": tmp_path})
    assert refused.value.en.startswith("the command line: web.port = 0")


def test_every_mistake_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        load(write(tmp_path, '[web]\nport = "x"\nhost = "y"\n[log]\nlevel = "LOUD"\n'), {"data": tmp_path})
    assert len(refused.value.en.splitlines()) == 3


def test_a_password_in_the_file_is_never_said_back(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        load(write(tmp_path, "[pbx]\nari_password = 12345678\n"), {"data": tmp_path})
    assert "12345678" not in refused.value.en + refused.value.ko


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=re.escape(f"{tmp_path}/none.toml")):
        load(tmp_path / "none.toml")


def test_all_addresses_are_shown_as_one_that_can_be_reached(tmp_path: Path) -> None:
    loaded = load(None, {"data": tmp_path, "web.host": "0.0.0.0", "sip.bind": "::"})
    assert loaded.web.origin == "http://127.0.0.1:8000"
    assert loaded.sip_address == "sip:1000@[::1]:5060"


def test_settings_cannot_be_changed_behind_anybodys_back() -> None:
    with pytest.raises(Exception, match="frozen"):
        Settings().web.port = 1


def test_secrets_are_made_once_and_kept_private(tmp_path: Path) -> None:
    first = secrets_of(tmp_path / "data")

    file = tmp_path / "data" / FILE
    assert file.stat().st_mode & 0o777 == 0o600
    assert secrets_of(tmp_path / "data") == first
    assert secrets_of(tmp_path / "other") != first
    assert first.ari_password not in repr(first)


def test_a_secret_added_by_a_newer_version_leaves_the_others_alone(tmp_path: Path) -> None:
    first = secrets_of(tmp_path)
    file = tmp_path / FILE
    file.write_text("".join(line for line in file.open() if not line.startswith("session_key")))

    second = secrets_of(tmp_path)

    assert second.session_key != first.session_key
    assert second.ari_password == first.ari_password


def test_secrets_others_can_read_are_refused_with_the_cure(tmp_path: Path) -> None:
    secrets_of(tmp_path)
    (tmp_path / FILE).chmod(0o644)
    with pytest.raises(SecretsUnusable, match="chmod 600"):
        secrets_of(tmp_path)


@pytest.mark.parametrize("text", ["ari_password = ", 'ari_password = "short"\n', 'ari_password = "with\\nnew line"\n'])
def test_damaged_secrets_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    (tmp_path / FILE).chmod(0o600)
    with pytest.raises(SecretsUnusable, match=re.escape(FILE)):
        secrets_of(tmp_path)


def test_no_two_secrets_are_alike() -> None:
    made = GeneratedSecrets()
    values = [made.ari_password, made.ami_password, made.session_key, made.visitor_sip_secret]
    assert len(set(values)) == len(values)
    assert settings.FILE_IN_DATA_FOLDER != FILE
