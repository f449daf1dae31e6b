"""An Asterisk that is not ours is never left with a configuration that it has not taken."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from changgu.asterisk_conf.render import FOR_EXISTING
from changgu.telephony.existing_pbx import ExistingPbx, takes_rest_over_websocket
from changgu.telephony.pbx_packages import PbxUnavailable, Version
from tests.support.existing_asterisk import ExistingAsterisk

FILES = dict.fromkeys(FOR_EXISTING, "; as rendered\n")


@pytest.fixture
async def asterisk() -> AsyncIterator[ExistingAsterisk]:
    async with ExistingAsterisk() as asterisk:
        yield asterisk


def existing(asterisk: ExistingAsterisk, folder: Path) -> ExistingPbx:
    return ExistingPbx(str(asterisk.settings["ari_url"]), "changgu", "secret", folder)


async def test_what_was_written_but_refused_is_loaded_the_next_time(asterisk: ExistingAsterisk, tmp_path: Path) -> None:
    asterisk.refuses_reloads = True
    with pytest.raises(PbxUnavailable, match="did not reload"):
        await existing(asterisk, tmp_path / "etc").start(FILES)
    asterisk.refuses_reloads = False
    await existing(asterisk, tmp_path / "etc").start(FILES)
    assert asterisk.reloaded == ["res_pjsip.so", "app_queue.so", "pbx_config.so"]
    assert await existing(asterisk, tmp_path / "etc").apply(FILES) == []


@pytest.mark.parametrize(
    ("version", "takes"),
    [
        ((20, 6, 0), False), ((20, 13, 9), False), ((20, 14, 0), True), ((21, 8, 1), False), ((21, 9, 0), True),
        ((22, 3, 0), False), ((22, 4, 0), True), ((23, 0, 0), True), ((25, 1, 0), True),
    ],
)  # fmt: skip
def test_each_series_learnt_rest_over_the_websocket_at_its_own_release(version: Version, takes: bool) -> None:
    assert takes_rest_over_websocket(version) is takes


async def test_a_folder_that_cannot_be_written_is_said_in_words(asterisk: ExistingAsterisk, tmp_path: Path) -> None:
    (tmp_path / "etc").write_text("a file where the folder should be")
    with pytest.raises(PbxUnavailable, match="configuration_folder"):
        await existing(asterisk, tmp_path / "etc").start(FILES)
