"""A supervisor at the menu's page and the notices' page, in a real browser."""

import re
from datetime import date, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Dialog, Page, expect

from changgu.ivr_flows.nodes import Menu, NodeName
from changgu.ivr_flows.publishing.notices import mark_of
from changgu.ivr_flows.service import draw_file, shipped_menu
from tests.browser.flows_house import Front, Opened
from tests.ivr_flows.menu_house import BOSS

OVERFLOWING = """(boxes) => [...document.querySelectorAll("svg g[data-node]")].flatMap((node) => {
  const box = node.querySelector("rect").getBBox();
  return [...node.querySelectorAll("text")].filter((text) => {
    const drawn = text.getBBox();
    return drawn.x < box.x || drawn.x + drawn.width > box.x + box.width;
  }).map((text) => `${node.dataset.node}: ${text.textContent}`);
})"""
"""Texts of the drawn tree that do not lie within the box of their node."""
RUNNING_INTO_BOXES = """() => {
  const frame = (one) => one.getBoundingClientRect();
  const boxes = [...document.querySelectorAll("svg g[data-node] rect")].map(frame);
  const labels = [...document.querySelectorAll("svg text")].filter((text) => !text.closest("[data-node]"));
  return labels.filter((label) => {
    const at = frame(label);
    const across = (box) => at.left < box.right && at.right > box.left;
    return boxes.some((box) => across(box) && at.top < box.bottom && at.bottom > box.top);
  }).map((label) => label.textContent);
}"""
"""Names of ways that are written over a box."""


async def assert_every_text_has_its_room(page: Page, nodes: int = 10) -> None:
    assert await page.locator("svg g[data-node]").count() >= nodes
    assert await page.evaluate(OVERFLOWING) == []
    assert await page.evaluate(RUNNING_INTO_BOXES) == []


def repeats(front: Front) -> int:
    node = front.house.versions.current("1000").flow.nodes[NodeName("services")]
    assert isinstance(node, Menu)
    return node.repeats


async def test_the_tree_is_drawn_with_what_callers_did_and_a_node_is_edited_published_and_rolled_back(
    opened: Opened,
) -> None:
    page = await opened.page("/flows")
    await expect(page.locator("[data-node]")).to_have_count(10)
    await expect(page.locator("[data-node=greeting]")).to_contain_text("들어옴 118 · 끊음 6")
    await expect(page.locator("#visits")).to_have_text("118")
    await expect(page.locator("#containment")).to_have_text("15.3 %")
    await expect(page.locator("#drop-out")).to_have_text("12.7 %")
    await expect(page.locator("#problems")).to_contain_text("고칠 곳이 없습니다")

    await page.locator("[data-node=services]").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#node-title")).to_have_text("services")
    await expect(page.locator("#f-repeats")).to_have_value("2")
    await expect(page.locator("[data-field=repeats] label")).to_have_text("되풀이 repeats")
    await expect(page.locator("[data-node=services] .fl-kind")).to_have_text("번호 고르기")
    await expect(page.locator("#pilot")).to_contain_text("초안은 1999번에 전화하면 들을 수 있습니다")
    pc = page.locator("[data-field=keys] option[value=pc]").first
    await expect(pc).to_have_text(re.compile("^피씨와 .+ [(]pc[)]$"))
    await opened.picture(page, "flows-1920")
    person = page.locator("[data-field=keys] .fl-row select").first
    await person.select_option("pc")
    await page.get_by_role("button", name="초안에 저장").click()
    await expect(page.locator("#problems")).to_contain_text("오류")
    await expect(page.locator("[data-node=services]")).to_contain_text("⚠1")
    await expect(page.locator("#pilot")).to_contain_text("아직 1999번에서 들을 수 없습니다")
    await opened.picture(page, "flows-problem")
    await page.get_by_role("button", name="방송하기").click()
    await expect(page.locator("#said")).to_contain_text("고칠 곳이 1군데")

    await person.select_option("operator")
    await page.fill("#f-repeats", "3")
    await page.get_by_role("button", name="초안에 저장").click()
    await expect(page.locator("#problems")).to_contain_text("고칠 곳이 없습니다")
    assert repeats(opened.front) == 2  # a draft is no more than a draft
    await page.fill("#note", "한 번 더 들려줌")
    await page.get_by_role("button", name="방송하기").click()
    await expect(page.locator("#said")).to_have_text("이제 버전 2 방송 중입니다. 다음 전화부터 들립니다.")
    await expect(page.locator("#on-air")).to_have_text("버전 2")
    assert repeats(opened.front) == 3
    row = page.locator("#versions tbody tr").first
    await expect(row).to_contain_text("boss")
    await expect(row).to_contain_text("한 번 더 들려줌")
    await opened.picture(page, "flows-versions")

    await page.get_by_role("button", name="비교: 버전 1").click()
    await expect(page.locator("#compare-before")).to_have_value("1")
    await expect(page.locator("#compare-after")).to_have_value("2")
    await expect(page.locator("#differences > li")).to_have_count(1)
    await expect(page.locator("#differences")).to_have_text(re.compile("services .*되풀이: 2 → 3"))

    await page.get_by_role("button", name="되돌리기: 버전 1").click()
    await expect(page.locator("#said")).to_have_text("버전 1(으)로 되돌렸습니다. 다음 전화부터 들립니다.")
    await expect(page.locator("#on-air")).to_have_text("버전 1")
    assert repeats(opened.front) == 2


LONG_NAMES = """
flow: main
title: 이름이 긴 나무
start: opening_hours_of_the_desk_and_of_all_its_branches
person: operator
nodes:
  opening_hours_of_the_desk_and_of_all_its_branches:
    kind: menu
    say: {text: "정보시스템 서비스 데스크입니다. 원하시는 업무의 번호를 누르시고, 상담원은 0번을 눌러 주십시오."}
    keys: {1: ticket_status_of_the_caller, 2: call_back_of_the_desk, 3: call_back_of_the_desk, 0: operator}
  ticket_status_of_the_caller:
    kind: menu
    say: {text: "접수하신 건은 1번, 상담원은 0번을 눌러 주십시오."}
    keys: {1: opening_hours_of_the_desk_and_of_all_its_branches, 2: call_back_of_the_desk, 0: operator}
  call_back_of_the_desk:
    kind: condition
    when:
      - {value: person, known: true, go: operator}
    otherwise: ticket_status_of_the_caller
  operator: {kind: to_queue, say: to_person, queue: helpdesk}
"""


async def test_no_text_of_the_drawn_tree_leaves_its_box(opened: Opened, tmp_path: Path) -> None:
    page = await opened.page("/flows")
    await page.get_by_text("글(YAML)로 보기·고치기").click()
    await page.fill("#text", LONG_NAMES)
    await page.click("#save-text")
    await expect(page.locator("[data-node]")).to_have_count(4)
    await assert_every_text_has_its_room(page, 4)
    await opened.picture(page, "flows-long-1920")
    await page.set_viewport_size({"width": 390, "height": 844})
    await opened.picture(page, "flows-long-390")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390

    long = tmp_path / "long.yaml"
    long.write_text(LONG_NAMES, "utf-8")
    for path, nodes in ((long, 4), (shipped_menu("main"), 10), (shipped_menu("office"), 25)):
        (tmp_path / "tree.svg").write_text(draw_file(path, svg=True), "utf-8")
        await page.goto(f"file://{tmp_path / 'tree.svg'}")
        await assert_every_text_has_its_room(page, nodes)
    titles = await page.locator("title").all_text_contents()
    assert any("안녕하십니까. 정보시스템 서비스 데스크입니다. 인공 음성으로 안내합니다." in title for title in titles)


async def test_what_was_typed_and_not_saved_is_kept_named_and_never_left_out_of_what_is_published(
    opened: Opened,
) -> None:
    page = await opened.page("/flows")
    services, said = page.locator("[data-node=services]"), page.locator("#said")
    await services.click()
    await page.fill("#f-repeats", "4")
    await page.get_by_role("button", name="줄 더하기").click()
    await page.get_by_label("번호", exact=True).last.fill("5")
    await page.get_by_role("button", name="초안에 저장", exact=True).click()
    await expect(said).to_have_text("5: 갈 곳을 고르십시오.")
    await expect(said).to_be_in_viewport()  # the form is longer than the screen

    # the key needs a node that is not there yet: it is made, and the form is as it was left
    await page.get_by_role("button", name="단계 더하기").click()
    await page.fill("#new-name", "printer")
    await page.select_option("#new-kind", "hang_up")
    await page.get_by_role("button", name="단계 만들기").click()
    await expect(page.locator("#node-title")).to_have_text("printer")
    await page.select_option("#period", "1")
    await expect(page.locator("#unsaved")).to_have_text("아직 저장하지 않은 것: services")
    await page.get_by_role("button", name="방송하기").click()
    await expect(said).to_have_text("저장하지 않은 것은 방송되지 않습니다. 먼저 초안에 저장하거나 버리십시오: services")
    await services.click()
    await expect(page.locator("#f-repeats")).to_have_value("4")
    await page.locator("[data-field=keys] .fl-row select").last.select_option("printer")
    await page.get_by_role("button", name="줄 더하기").click()
    await page.get_by_label("번호", exact=True).last.fill("1")
    await page.locator("[data-field=keys] .fl-row select").last.select_option("printer")
    await page.get_by_role("button", name="초안에 저장", exact=True).click()
    await expect(said).to_have_text("1: 두 번 쓰였습니다. 한 줄만 남기십시오.")
    await page.get_by_role("button", name=re.compile("^빼기")).last.click()
    await page.get_by_role("button", name="초안에 저장", exact=True).click()
    await expect(said).to_contain_text("services: 초안에 저장했습니다")
    await expect(page.locator("#unsaved")).to_be_hidden()
    draft = await opened.front.house.versions.working_draft()
    assert "5: printer" in draft.menu.text
    assert "1: pc" in draft.menu.text
    assert "repeats: 4" in draft.menu.text

    # sentences beside the form, and a draft that somebody would throw away
    await page.get_by_text("안내문 문장 보기·고치기").click()
    await page.get_by_label("greeting (ko)", exact=True).fill("반갑습니다.")
    await page.get_by_label("goodbye (ko)", exact=True).fill("안녕히 가십시오.")
    await page.get_by_role("button", name="초안에 저장: goodbye (ko)").click()
    await expect(said).to_contain_text("goodbye: 초안에 저장했습니다")
    await expect(page.get_by_label("greeting (ko)", exact=True)).to_have_value("반갑습니다.")
    await expect(page.locator("#unsaved")).to_have_text("아직 저장하지 않은 것: greeting (ko)")
    asked: list[str] = []

    async def no(dialog: Dialog) -> None:
        asked.append(dialog.message)
        await dialog.dismiss()

    page.once("dialog", no)
    await page.get_by_role("button", name="초안 버리고 다시 시작").click()
    await expect(page.locator("#anew")).to_be_enabled()
    assert asked == ["초안에서 고친 것이 모두 사라지고 되살릴 수 없습니다. 버릴까요?"]
    await expect(page.get_by_label("greeting (ko)", exact=True)).to_have_value("반갑습니다.")
    page.once("dialog", lambda dialog: dialog.accept())
    await page.get_by_role("button", name="초안 버리고 다시 시작").click()
    await expect(page.locator("[data-node=printer]")).to_have_count(0)
    await expect(page.locator("#unsaved")).to_be_hidden()


async def test_a_sentence_is_written_and_heard_before_it_is_published(opened: Opened) -> None:
    page = await opened.page("/flows")
    await page.locator("[data-node=goodbye]").click()
    await expect(page.locator("#panel")).to_contain_text("이용해 주셔서 감사합니다.")
    await page.get_by_role("button", name="문장 더하기").click()
    await page.locator("#panel textarea:visible").first.fill("오늘도 좋은 하루 되십시오.")
    button = page.locator("#panel .fl-area:visible button").first
    await button.click()
    await expect(button).to_have_attribute("data-heard", "yes")
    assert opened.front.house.voice.spoken == [("오늘도 좋은 하루 되십시오.", "ko")]
    await page.get_by_role("button", name="초안에 저장").click()
    await expect(page.locator("#said")).to_contain_text("초안에 저장했습니다")
    draft = await opened.front.house.versions.working_draft()
    assert '- {text: "오늘도 좋은 하루 되십시오."}' in draft.menu.text

    await page.get_by_role("button", name="단계 더하기").click()
    await page.fill("#new-name", "closed")
    await page.select_option("#new-kind", "opening_hours")
    await page.get_by_role("button", name="단계 만들기").click()
    await expect(page.locator("#node-title")).to_have_text("closed")
    await expect(page.locator("[data-field=calendar]")).to_be_visible()
    await page.get_by_role("button", name="단계 없애기").click()
    await expect(page.locator("[data-node=closed]")).to_have_count(0)


async def test_every_kind_of_node_has_its_form(opened: Opened) -> None:
    page = await opened.page("/flows", "en")
    await expect(page.locator("h1")).to_have_text("Voice menu")
    kinds = await page.evaluate("Object.keys(JSON.parse(document.getElementById('flow-data').textContent).kinds)")
    for kind in kinds:
        await page.get_by_role("button", name="Add a node").click()
        await page.fill("#new-name", "probe")
        await page.select_option("#new-kind", kind)
        await page.get_by_role("button", name="New node").click()
        await expect(page.locator("#node-title")).to_have_text("probe")
        await page.get_by_role("button", name="Remove the node").click()
        await expect(page.locator("[data-node=probe]")).to_have_count(0)


async def test_a_version_is_scheduled_and_withdrawn_and_what_others_changed_is_not_overwritten(
    opened: Opened,
) -> None:
    page = await opened.page("/flows")
    other = await opened.page("/flows")
    await page.locator("[data-node=services]").click()
    await page.fill("#f-repeats", "4")
    await page.get_by_role("button", name="초안에 저장").click()
    await expect(page.locator("#draft-state")).to_contain_text("boss")
    await page.fill("#at", (opened.front.house.now() + timedelta(days=2)).strftime("%Y-%m-%dT09:00"))
    await page.get_by_role("button", name="방송하기").click()
    await expect(page.locator("#said")).to_contain_text("예약했습니다")
    await page.get_by_role("button", name="예약 취소: 버전 2").click()
    await expect(page.locator("#versions tbody tr").first).to_contain_text("취소됨 boss")

    await other.locator("[data-node=services]").click()
    await other.fill("#f-repeats", "1")
    await other.get_by_role("button", name="초안에 저장").click()
    await expect(other.locator("#said")).to_contain_text("다른 사람이 먼저 저장했습니다")


async def test_a_notice_is_typed_heard_put_on_the_air_and_counted(opened: Opened) -> None:
    page = await opened.page("/notices")
    await expect(page.locator("#none")).to_be_visible()
    await page.fill("#ko", "내부망에 장애가 있어 복구하고 있습니다.")
    await page.get_by_role("button", name="▶ 듣기").first.click()
    await expect(page.locator("[data-hear=ko]")).to_have_attribute("data-heard", "yes")
    await page.get_by_label("네트워크", exact=True).check()
    await expect(page.get_by_label("모든 발신자")).not_to_be_checked()
    await page.get_by_role("button", name="3시간").click()
    await page.get_by_role("button", name="방송하기").click()
    await expect(page.locator("#said")).to_contain_text("방송 중입니다.")
    row = page.locator("#notices tbody tr").first
    await expect(row).to_contain_text("네트워크")
    await expect(page.locator("[data-left=ko]")).to_have_text("300자 남음")
    await expect(page.locator("#ends")).to_have_value("")  # the next notice gets an end of its own
    (notice,) = opened.front.house.notices.now("queue:network")

    opened.front.call("n1", "greeting", mark_of(notice.id))
    await page.reload()
    await expect(page.locator("#notices tbody tr").first.locator("td").nth(7)).to_have_text("1")
    await opened.picture(page, "notices-1920")
    await page.get_by_role("button", name="내리기").click()
    await expect(page.locator("#notices tbody tr").first).to_contain_text("내림 (boss)")
    assert opened.front.house.notices.now("queue:network") == []


async def test_a_sub_flow_and_the_sentences_of_a_version_are_edited_and_figures_stand_node_by_node(
    opened: Opened,
) -> None:
    house = opened.front.house
    (house.folder / "menus").mkdir()
    office = shipped_menu("office").read_text("utf-8").replace("flow: office", "flow: main")
    (house.folder / "menus" / "main.yaml").write_text(office, "utf-8")
    assert await house.keeper.reload()
    for number in range(7):
        opened.front.call(f"o{number}", "greeting", "language", "hours", "services", "identify", "identify/ask_pin")

    page = await opened.page("/flows")
    row = page.locator("#by-node tbody tr", has_text="identify/ask_pin")
    await expect(row.locator("td")).to_have_text(["7", "0", "0", "7", "0", "100.0 %"])
    await expect(page.locator("[data-node=services]")).to_contain_text("들어옴 119")  # of both versions
    await expect(page.locator("[data-node=greeting]")).to_be_in_viewport()
    await assert_every_text_has_its_room(page)
    await opened.picture(page, "flows-office-1920")

    await page.select_option("#part", "identify")
    await expect(page.locator("[data-node=ask_pin]")).to_contain_text("들어옴 7 · 끊음 7")
    await page.locator("[data-node=ask_pin]").click()
    await page.get_by_text("날마다 보기").click()
    await expect(page.locator("#panel table tbody td").nth(1)).to_have_text("7")
    await page.fill("#f-max", "6")
    await page.get_by_role("button", name="초안에 저장").click()
    await expect(page.locator("#said")).to_contain_text("초안에 저장했습니다")
    await expect(page.locator("#part")).to_have_value("identify")
    assert "max: 6" in (await house.versions.working_draft()).menu.flows["identify"]

    await page.get_by_text("안내문 문장 보기·고치기").click()
    await page.get_by_label("greeting (ko)", exact=True).fill("반갑습니다. 새 창구입니다.")
    await page.get_by_role("button", name="초안에 저장: greeting (ko)").click()
    await expect(page.locator("#said")).to_contain_text("greeting: 초안에 저장했습니다.")
    draft = await house.versions.working_draft()
    assert draft.menu.sentences["ko"]["greeting"] == "반갑습니다. 새 창구입니다."
    await page.get_by_role("button", name="방송하기").click()
    await expect(page.locator("#on-air")).to_have_text("버전 3")
    assert house.versions.current("1000").flow.sentences["ko"]["greeting"] == "반갑습니다. 새 창구입니다."


async def test_a_holiday_is_declared_on_the_page_of_opening_hours(opened: Opened) -> None:
    page = await opened.page("/flows")
    await page.get_by_role("link", name="근무시간·휴일").click()
    await page.wait_for_selector("body[data-loaded]")
    await expect(page.locator("#desk-mon")).to_have_value("09:00-18:00")
    await page.get_by_role("button", name="날짜 추가").click()
    day = (opened.front.house.now() + timedelta(days=20)).strftime("%Y-%m-%d")
    row = page.locator(".fl-days tbody tr").first
    await row.get_by_label("날짜").fill(day)
    await row.get_by_label("이름").fill("임시공휴일")
    await page.fill("#desk-sat", "09:00-13:00")
    await page.fill("#note", "정부 발표")
    await page.locator("summary").click()
    await opened.picture(page, "hours-1920")
    await page.get_by_role("button", name="저장하고 바로 방송하기").click()
    await expect(page.locator("#said")).to_have_text(re.compile("^저장했습니다. 버전 2. .*듣는 것은 그대로입니다.$"))
    first = page.locator("#changes tbody tr").first
    await expect(first).to_contain_text("boss")
    await expect(first).to_contain_text("정부 발표")
    calendar = opened.front.house.versions.current("1000").flow.calendars["desk"]
    assert calendar.holiday_on(date.fromisoformat(day)) == "임시공휴일"
    assert calendar.week[5]
    # the menu that comes with changgu asks no clock: whoever declares a holiday is told that nobody will hear of it
    await expect(page.locator("[data-asked=desk]")).to_contain_text("이 시간표를 보는 단계가 없습니다")

    await page.fill("#desk-sat", "아무 때나")
    await page.get_by_role("button", name="저장하고 바로 방송하기").click()
    await expect(page.locator("#said")).to_contain_text("09:00-18:00처럼")


@pytest.mark.parametrize(("language", "across"), [("en", 390), ("ko", 700)])
@pytest.mark.parametrize("path", ["/flows", "/notices", "/flows/hours"])
async def test_the_pages_fit_a_telephone(opened: Opened, path: str, language: str, across: int) -> None:
    house = opened.front.house
    until = house.now() + timedelta(hours=2)
    for text in ("내부망에 장애가 있어 복구하고 있습니다.", "오늘 18시부터 20시까지 행정 시스템을 점검합니다."):
        await house.notices.put_on_air(
            {"ko": text, "en": "We know of it."}, ["queue:network"], None, until, BOSS, house.menu.places()
        )
    page = await opened.page(path, language, across, 844)
    if path == "/flows":
        await assert_every_text_has_its_room(page)
        await page.locator("[data-node=services]").click()
    width = await page.evaluate("document.documentElement.scrollWidth")
    await opened.picture(page, f"{path[1:].replace('/', '-')}-{across}")
    assert width <= across
    if path == "/notices":
        await expect(page.locator(".fl-place", has=page.locator("[value='service:ticket_status']"))).to_contain_text(
            "접수번호" if language == "ko" else "ticket"
        )
        # how many heard it, and the button, without scrolling sideways
        box = await page.locator("#notices tbody tr").first.get_by_role("button").bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= across
