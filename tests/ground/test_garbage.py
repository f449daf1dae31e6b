"""How seldom garbage is looked for while calls are served."""

import gc

from changgu.ground.garbage import LOOKED_FOR, looking_seldom


def test_what_is_measured_runs_as_the_desk_does_and_leaves_nothing_behind() -> None:
    usual, frozen = gc.get_threshold(), gc.get_freeze_count()
    try:
        with looking_seldom():
            assert gc.get_threshold() == LOOKED_FOR
            assert gc.get_freeze_count() > frozen
            assert gc.isenabled()
        assert gc.get_threshold() == usual
        assert gc.get_freeze_count() == 0
    finally:
        gc.set_threshold(*usual)
