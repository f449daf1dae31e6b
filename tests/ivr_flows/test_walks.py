"""The shipped tree, walked: after a change read the difference, then `python -m tests.ivr_flows.golden`."""

from pathlib import Path

import pytest

from changgu.ivr_flows import service
from tests.ivr_flows import golden


@pytest.mark.parametrize("path", sorted(golden.WALKS.glob("*.walk")), ids=lambda path: path.stem)
def test_a_caller_who_presses_these_keys_hears_this(path: Path) -> None:
    walked = golden.read(path)

    assert walked.walked() == walked.transcript


def test_the_shipped_tree_has_nothing_to_complain_about() -> None:
    report = service.check_file(service.shipped_menu("main"), {"helpdesk", "network", "pc", "account", "application"})

    assert report.problems == ()
    assert str(report).endswith("main.yaml: ok")


def test_both_languages_have_the_same_prompts() -> None:
    assert service.sentences("ko").keys() == service.sentences("en").keys()


def test_the_command_walks_the_same_way() -> None:
    assert service.walk_file(service.shipped_menu("main"), "2").endswith("→ queue network\n")


def test_the_drawing_shows_every_node_once() -> None:
    drawn = service.draw_file(service.shipped_menu("main"))
    flow = service.load_file(service.shipped_menu("main"))

    for name in flow.nodes:
        assert drawn.count(f" {name} [") + drawn.count(f"\n{name} [") == 1


def test_a_node_to_which_only_queues_lead_is_drawn_after_the_tree(tmp_path: Path) -> None:
    menu = tmp_path / "main.yaml"
    menu.write_text(
        "flow: main\nstart: operator\nperson: operator\nentries: [sorry]\nnodes:\n"
        "  operator: {kind: to_queue, say: to_person, queue: helpdesk}\n"
        "  sorry: {kind: say, say: goodbye, next: operator}\n",
        "utf-8",
    )
    assert [line.partition(" [")[0] for line in service.draw_file(menu).splitlines()[2:]] == [
        "from a queue: sorry", "└─ next: operator ↑",
    ]  # fmt: skip


def test_a_site_replaces_a_sentence_and_keeps_the_others(tmp_path: Path) -> None:
    (tmp_path / "ko.toml").write_text('greeting = "반갑습니다."', "utf-8")

    sentences = service.sentences("ko", tmp_path)

    assert sentences["greeting"] == "반갑습니다."
    assert sentences["recording_notice"].startswith("통화 내용은")


def test_a_prompt_that_is_no_sentence_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ko.toml").write_text("greeting = 3", "utf-8")

    with pytest.raises(ValueError, match="greeting"):
        service.sentences("ko", tmp_path)
