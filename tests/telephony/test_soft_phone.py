"""A process of phones outlives what one of its phones cannot do."""

import pytest

from changgu.telephony.soft_phone import CALLS_PER_PROCESS, SoftPhones

pytestmark = pytest.mark.real

NOBODY = "127.0.0.1:9"


async def test_one_call_too_many_is_refused_and_the_other_phones_go_on() -> None:
    """In the example organisation callers stopped calling after some minutes: their process had ended."""
    async with SoftPhones() as phones:
        for caller in range(CALLS_PER_PROCESS + 1):
            await phones.account(f"caller{caller}", NOBODY)
            await phones.call(f"caller{caller}", f"call{caller}", f"sip:1000@{NOBODY}")
        refused = f"call{CALLS_PER_PROCESS}"
        await phones.expect("error", call=refused, order="call")

        await phones.order(do="hang_up", call=refused)
        await phones.order(do="hang_up", call="call0")
        await phones.expect("ended", call="call0")
