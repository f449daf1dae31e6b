"""Supervisors at the forms of the menu's page: answers as fields, two at one draft, the desk's clock."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from playwright.async_api import Page, expect

from changgu.ivr_flows.service import shipped_menu
from tests.browser.flows_house import Opened
from tests.ivr_flows.menu_house import BOSS, DEPUTY

SEOUL = ZoneInfo("Asia/Seoul")


async def draft_text(opened: Opened) -> str:
    return (await opened.front.house.versions.working_draft()).menu.text


async def with_office(opened: Opened) -> Page:
    """The page with a tree that asks by voice and decides by what it heard."""
    office = shipped_menu("office").read_text("utf-8").replace("flow: office", "flow: main")
    await opened.front.house.versions.save_draft(office, 0, BOSS)
    return await opened.page("/flows")


async def save(page: Page) -> None:
    await page.get_by_role("button", name="초안에 저장", exact=True).click()


SORTED = """flow: main
title: 접수 상태별 안내
start: ask
person: operator
nodes:
  ask: {kind: collect_digits, say: ask_ticket_number, name: number, min: 7, max: 12, next: look, failed: operator}
  look:
    kind: look_up
    source: ticket_status
    key: "{number}"
    name: ticket
    found: sorted
    not_found: operator
  sorted:
    kind: condition
    when:
      - {value: ticket.state, one_of: [resolved, closed], go: done}
      - {value: ticket.expected, known: true, go: promised}
    otherwise: operator
  done: {kind: hang_up, say: {ko: "처리가 끝났습니다.", en: "It is done."}}
  promised: {kind: hang_up, say: {ko: "{ticket.expected:moment}에 끝납니다.", en: "By {ticket.expected:moment}."}}
  operator: {kind: to_queue, say: to_person, queue: helpdesk}
"""


async def test_the_conditions_of_a_node_are_rows_of_fields(opened: Opened) -> None:
    await opened.front.house.versions.save_draft(SORTED, 0, BOSS)
    page = await opened.page("/flows")
    await page.locator("[data-node=sorted]").click()
    rows = page.locator("[data-field=when] .fl-answer")
    await expect(rows).to_have_count(2)
    await expect(page.locator("[data-field=when] textarea")).to_have_count(0)
    first, second = rows.nth(0), rows.nth(1)
    await expect(first.get_by_label("값의 이름")).to_have_value("ticket.state")
    await expect(first.get_by_label("비교 방법")).to_have_value("one_of")
    await expect(first.get_by_label("비교할 값").locator("visible=true")).to_have_value("resolved, closed")
    await expect(second.get_by_label("비교할 값").locator("visible=true")).to_have_value("true")

    await first.get_by_label("비교할 값").locator("visible=true").fill("resolved, closed, cancelled")
    await page.get_by_role("button", name="위로: 2번째 줄").click()
    await page.get_by_role("button", name="조건 더하기").click()
    third = rows.nth(2)
    await third.get_by_label("값의 이름").fill("ticket.line")
    await save(page)
    await expect(page.locator("#said")).to_have_text("조건 3: 값의 이름, 비교할 값, 갈 곳을 모두 쓰십시오.")
    await third.get_by_label("비교 방법").select_option("more_than")
    await third.get_by_label("비교할 값").locator("visible=true").fill("1")
    await third.get_by_label("갈 곳").select_option("operator")
    await opened.picture(page, "flows-conditions-1920")
    await page.get_by_role("button", name="조건 더하기").click()
    await page.get_by_role("button", name="빼기: 4번째 줄").press("Enter")
    await expect(page.get_by_role("button", name="빼기: 3번째 줄")).to_be_focused()
    await save(page)
    await expect(page.locator("#said")).to_contain_text("초안에 저장했습니다")
    assert (
        "    when:\n"
        "      - {value: ticket.expected, known: true, go: promised}\n"
        "      - {value: ticket.state, one_of: [resolved, closed, cancelled], go: done}\n"
        "      - {value: ticket.line, more_than: 1, go: operator}\n"
    ) in await draft_text(opened)
    await expect(page.locator("#problems")).not_to_contain_text("조건은")
    await page.set_viewport_size({"width": 400, "height": 860})
    await opened.picture(page, "flows-conditions-400")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 400


async def test_what_callers_may_say_is_rows_of_words(opened: Opened) -> None:
    page = await with_office(opened)
    await page.locator("[data-node=request]").click()
    rows = page.locator("[data-field=grammar] .fl-answer")
    await expect(rows).to_have_count(3)
    await expect(page.locator("[data-field=grammar] textarea")).to_have_count(0)
    await expect(rows.nth(1).get_by_label("인식할 말")).to_have_value("네트워크, 인터넷, network, internet")
    await rows.nth(1).get_by_label("인식할 말").fill("네트워크, 인터넷, 와이파이")
    await page.get_by_role("button", name="대답 더하기").click()
    await rows.nth(3).get_by_label("인식할 말").fill("전화기")
    await save(page)
    await expect(page.locator("#said")).to_have_text("대답 4: 인식할 말, 번호, 저장할 값을 모두 쓰십시오.")
    await rows.nth(3).get_by_label("번호").fill("4")
    await rows.nth(3).get_by_label("저장할 값").fill("phone")
    await opened.picture(page, "flows-words-1920")
    await save(page)
    await expect(page.locator("#said")).to_contain_text("초안에 저장했습니다")
    text = await draft_text(opened)
    assert '- {value: network, words: ["네트워크", "인터넷", "와이파이"], key: 2}' in text
    assert '- {value: phone, words: ["전화기"], key: 4}' in text

    await page.get_by_label("무엇을 알아듣는지").select_option("digits")
    await page.get_by_label("최소 자릿수").fill("7")
    await save(page)
    await expect(page.locator("#said")).to_have_text("최소와 최대 자릿수를 모두 쓰십시오.")
    await page.get_by_label("최대 자릿수").fill("12")
    await save(page)
    await expect(page.locator("#said")).to_contain_text("초안에 저장했습니다")
    assert "    grammar:\n      digits: [7, 12]\n" in await draft_text(opened)


async def test_what_the_fields_cannot_say_stays_as_it_is_written(opened: Opened) -> None:
    page = await with_office(opened)
    strange = (await draft_text(opened)).replace(
        "{value: topic, is: pc, go: pc}", "{value: topic, is: pc, is_not: x, go: pc}"
    )
    await opened.front.house.versions.save_draft(strange, 1, BOSS)
    await page.reload()
    await page.wait_for_selector("body[data-loaded]")
    await page.locator("[data-node=by_topic]").click()
    written = page.get_by_role("textbox", name="조건별 다음 단계")
    await expect(written).to_have_value(re.compile('"is_not": "x"'))
    await page.select_option("#f-otherwise", "operator")
    await save(page)
    await expect(page.locator("#said")).to_contain_text("초안에 저장했습니다")
    assert "{value: topic, is: pc, is_not: x, go: pc}" in await draft_text(opened)


async def test_a_value_is_read_out_in_a_way_that_is_chosen(opened: Opened) -> None:
    page = await opened.page("/flows")
    await page.locator("[data-node=goodbye]").click()
    await page.get_by_role("button", name="문장 더하기").click()
    prompt = page.locator("[data-field=say] .fl-prompt").last
    await prompt.get_by_label("들려줄 안내문").select_option(label="값 읽어 주기")
    await prompt.get_by_label("값의 이름").fill("caller")
    await prompt.get_by_label("읽는 법").select_option("digits")
    await save(page)
    await expect(page.locator("#said")).to_contain_text("초안에 저장했습니다")
    assert "- {value: caller, as: digits}" in await draft_text(opened)
    await expect(prompt.get_by_label("값의 이름")).to_have_value("caller")
    await expect(page.locator("#problems")).to_contain_text("고칠 곳이 없습니다")


async def test_a_node_is_heard_as_the_draft_says_it(opened: Opened) -> None:
    versions = opened.front.house.versions
    draft = await versions.working_draft()
    await versions.save_sentence("goodbye", "ko", "안녕히 가십시오.", draft.revision, BOSS)
    page = await opened.page("/flows")
    await page.locator("[data-node=goodbye]").click()
    prompt = page.locator("[data-field=say] .fl-prompt").first
    await expect(prompt).to_contain_text("안녕히 가십시오.")
    await prompt.get_by_role("button", name="듣기").click()
    await expect(prompt.locator("button[data-heard]")).to_have_attribute("data-heard", "yes")
    assert opened.front.house.voice.spoken == [("안녕히 가십시오.", "ko")]


async def test_two_supervisors_at_one_node_lose_nothing(opened: Opened) -> None:
    mine = await opened.page("/flows")
    theirs = await opened.page("/flows", login="deputy")
    for page, field, value in ((mine, "#f-first_timeout", "9"), (theirs, "#f-repeats", "4")):
        await page.locator("[data-node=services]").click()
        await page.fill(field, value)
    await theirs.locator("[data-field=keys] .fl-row select").last.select_option("operator")
    await save(theirs)
    await expect(theirs.locator("#said")).to_contain_text("초안에 저장했습니다")

    await save(mine)
    panel = mine.locator("#meanwhile")
    await expect(panel.locator("h2")).to_contain_text("그동안 deputy 님이")
    await expect(panel).to_be_in_viewport()
    lists = panel.locator(".fl-differences")
    await expect(lists.nth(0)).to_contain_text("되풀이: 2 → 4")
    await expect(lists.nth(1)).to_contain_text("첫 번호까지 기다림(초): 6 → 9")
    await expect(lists.nth(1)).not_to_contain_text("되풀이")
    await expect(mine.locator("#f-first_timeout")).to_have_value("9")
    await expect(mine.locator("#f-repeats")).to_have_value("4")  # nobody typed here: as it is in the draft now
    await opened.picture(mine, "flows-meanwhile-1920")
    await mine.set_viewport_size({"width": 400, "height": 860})
    await opened.picture(mine, "flows-meanwhile-400")
    assert await mine.evaluate("document.documentElement.scrollWidth") <= 400
    await panel.get_by_role("button", name="내가 쓴 것을 저장").click()
    await expect(mine.locator("#said")).to_contain_text("services: 초안에 저장했습니다")
    await expect(panel).to_be_hidden()
    text = await draft_text(opened)
    assert "repeats: 4" in text
    assert "first_timeout: 9" in text

    # both at the same field: whoever is second decides, knowing both
    await theirs.reload()
    await theirs.wait_for_selector("body[data-loaded]")
    await theirs.locator("[data-node=services]").click()
    await theirs.fill("#f-repeats", "1")
    await save(theirs)
    await expect(theirs.locator("#said")).to_contain_text("초안에 저장했습니다")
    await mine.fill("#f-repeats", "5")
    await save(mine)
    await expect(panel.locator(".fl-differences").nth(1)).to_contain_text("되풀이: 1 → 5")
    await panel.get_by_role("button", name="내가 쓴 것 버리기").click()
    await expect(mine.locator("#f-repeats")).to_have_value("1")
    await expect(mine.locator("#unsaved")).to_be_hidden()
    assert "repeats: 1" in await draft_text(opened)


async def test_a_text_and_a_sentence_that_came_second_are_kept(opened: Opened) -> None:
    page = await opened.page("/flows")
    versions = opened.front.house.versions
    await page.get_by_text("글(YAML)로 보기·고치기").click()
    text = await page.locator("#text").input_value()
    await page.fill("#text", text.replace("title:", "# 내가 쓴 줄\ntitle:"))
    await versions.save_draft(text.replace("queue: pc", "queue: network"), 0, DEPUTY)
    await page.click("#save-text")
    panel = page.locator("#meanwhile")
    await expect(panel.locator(".fl-differences").nth(0)).to_contain_text("대기열: pc → network")
    await expect(panel.locator(".fl-differences").nth(1)).to_contain_text("대기열: network → pc")  # what saving undoes
    assert "# 내가 쓴 줄" in await page.locator("#text").input_value()
    await panel.get_by_role("button", name="닫고 더 고치기").click()
    await expect(panel).to_be_hidden()
    assert "# 내가 쓴 줄" in await page.locator("#text").input_value()
    await page.fill("#text", (await page.locator("#text").input_value()).replace("queue: pc", "queue: network"))
    await page.click("#save-text")
    await expect(page.locator("#said")).to_contain_text("초안: 초안에 저장했습니다")
    kept = await draft_text(opened)
    assert "# 내가 쓴 줄" in kept
    assert "queue: network" in kept

    await page.get_by_text("안내문 문장 보기·고치기").click()
    await page.get_by_label("greeting (ko)", exact=True).fill("제가 쓴 인사입니다.")
    await versions.save_sentence("greeting", "ko", "다른 분이 쓴 인사입니다.", 2, DEPUTY)
    await page.get_by_role("button", name="초안에 저장: greeting (ko)").click()
    await expect(panel.locator(".fl-differences").nth(1)).to_contain_text(
        "다른 분이 쓴 인사입니다. → 제가 쓴 인사입니다."
    )
    await expect(page.get_by_label("greeting (ko)", exact=True)).to_have_value("제가 쓴 인사입니다.")
    await panel.get_by_role("button", name="내가 쓴 것을 저장").click()
    await expect(page.locator("#said")).to_contain_text("greeting: 초안에 저장했습니다")
    draft = await versions.working_draft()
    assert draft.menu.sentences["ko"]["greeting"] == "제가 쓴 인사입니다."


async def test_a_comment_that_somebody_else_saved_is_not_written_over(opened: Opened) -> None:
    page = await opened.page("/flows")
    versions = opened.front.house.versions
    await page.get_by_text("글(YAML)로 보기·고치기").click()
    text = await page.locator("#text").input_value()
    await page.fill("#text", f"# 내가 쓴 줄\n{text}")
    await versions.save_draft(f"# 다른 분이 쓴 줄\n{text}", 0, DEPUTY)
    await page.click("#save-text")
    panel = page.locator("#meanwhile")
    await expect(panel).to_contain_text("글의 주석이나 모양만 다르거나, 글에 오류가 있어 비교할 수 없습니다")
    assert (await draft_text(opened)).startswith("# 다른 분이 쓴 줄")
    await page.fill("#text", f"# 다른 분이 쓴 줄\n# 내가 쓴 줄\n{text}")  # what is saved is what is there by then
    await panel.get_by_role("button", name="내가 쓴 것을 저장").click()
    await expect(page.locator("#said")).to_contain_text("초안: 초안에 저장했습니다")
    assert (await draft_text(opened)).startswith("# 다른 분이 쓴 줄\n# 내가 쓴 줄")

    # what was said of the draft is gone with the draft
    await page.locator("[data-node=services]").click()
    await page.fill("#f-repeats", "4")
    await versions.save_draft(text.replace("queue: pc", "queue: network"), 2, DEPUTY)
    await save(page)
    await expect(panel).to_be_visible()
    await page.select_option("#shown", "1")
    await expect(page.locator("#draft-state")).to_contain_text("지난 버전은 고칠 수 없습니다")
    await expect(panel).to_be_hidden()


ALOUD = "{value: ticket.expected, as: aloud}"
"""A way of reading out that the page does not know."""


async def test_a_node_that_somebody_else_took_away_is_saved_anew_or_dropped(opened: Opened) -> None:
    versions = opened.front.house.versions
    aloud = SORTED.replace('{ko: "{ticket.expected:moment}에 끝납니다.", en: "By {ticket.expected:moment}."}', ALOUD)
    await versions.save_draft(aloud, 0, BOSS)
    page = await opened.page("/flows")
    for node in ("done", "promised"):
        await page.locator(f"[data-node={node}]").click()
        await page.select_option("#f-served", "true")
    less = "".join(
        line for line in SORTED.splitlines(keepends=True) if "done" not in line and "promised" not in line
    ).replace("    when:\n", "    when: [{value: x, is: y, go: operator}]\n")
    await versions.save_draft(less, 1, DEPUTY)

    await page.get_by_role("button", name="단계 더하기").click()
    await page.fill("#new-name", "later")
    await page.get_by_role("button", name="단계 만들기").click()
    panel = page.locator("#meanwhile")
    await panel.get_by_role("button", name="닫고 더 고치기").click()
    await expect(page.locator("#new-name")).to_have_value("later")
    lost = page.locator("#lost .notice")
    await expect(lost).to_have_count(2)
    await page.get_by_role("button", name="고친 것 버리기: done").click()
    await expect(lost).to_have_count(1)
    await opened.picture(page, "flows-lost-1920")
    await page.get_by_role("button", name="새 단계로 저장: promised").click()
    await expect(page.locator("#said")).to_contain_text("promised: 초안에 저장했습니다")
    await expect(lost).to_have_count(0)
    await expect(page.locator("#unsaved")).to_be_hidden()
    text = await draft_text(opened)
    assert "as: aloud" in text
    assert "done:" not in text


async def test_hours_that_changed_meanwhile_stand_in_nobodys_way(opened: Opened) -> None:
    versions = opened.front.house.versions
    text = await draft_text(opened)
    await versions.save_draft(text.replace("queue: pc", "queue: network"), 0, BOSS)
    page = await opened.page("/flows")
    await page.locator("[data-node=services]").click()
    await page.fill("#f-repeats", "4")
    first = versions.history.version(1)
    longer = first.menu.calendars.replace("09:00-18:00", "09:00-19:00")
    await versions.publish_hours(first.number, longer, "", DEPUTY)
    await save(page)
    await expect(page.locator("#said")).to_contain_text("services: 초안에 저장했습니다")
    await expect(page.locator("#meanwhile")).to_be_hidden()
    draft = await versions.working_draft()
    assert "repeats: 4" in draft.menu.text
    assert "09:00-19:00" in draft.menu.calendars


async def test_what_is_published_was_looked_at(opened: Opened) -> None:
    page = await opened.page("/flows")
    versions = opened.front.house.versions
    text = await draft_text(opened)
    await versions.save_draft(text.replace("queue: pc", "queue: network"), 0, DEPUTY)
    await page.fill("#note", "확인함")
    await page.get_by_role("button", name="방송하기").click()
    await expect(page.locator("#meanwhile")).to_contain_text("대기열: pc → network")
    assert len(versions.history.versions) == 1
    await expect(page.locator("#note")).to_have_value("확인함")
    await page.get_by_role("button", name="방송하기").click()
    await expect(page.locator("#on-air")).to_have_text("버전 2")


async def test_two_supervisors_at_the_opening_hours_lose_nothing(opened: Opened) -> None:
    page, other = await opened.page("/flows/hours"), await opened.page("/flows/hours", login="deputy")
    day = f"{opened.front.house.now() + timedelta(days=20):%Y-%m-%d}"
    await page.get_by_role("button", name="날짜 추가").click()
    row = page.locator(".fl-days tbody tr").first
    await row.get_by_label("날짜").fill(day)
    await row.get_by_label("이름").fill("임시공휴일")
    await page.fill("#desk-lunch", "11:30-12:30")
    await other.fill("#desk-sat", "09:00-13:00")
    await other.fill("#desk-lunch", "12:30-13:30")
    await other.get_by_role("button", name="저장하고 바로 방송하기").click()
    await expect(other.locator("#said")).to_contain_text("저장했습니다. 버전 2")

    await page.get_by_role("button", name="저장하고 바로 방송하기").click()
    panel = page.locator("#meanwhile")
    await expect(panel.locator("h2")).to_contain_text("그동안 deputy 님이")
    lists = panel.locator(".fl-differences")
    await expect(lists.nth(0).locator("li")).to_have_text(
        ["토: 쉼 → 09:00-13:00", "점심시간: 12:00-13:00 → 12:30-13:30"]
    )
    await expect(lists.nth(1).locator("li")).to_have_text(
        ["점심시간: 12:30-13:30 → 11:30-12:30", re.compile(f"{day} .*: .없음. → 임시공휴일, 휴일")]
    )
    await expect(page.locator("#desk-sat")).to_have_value("09:00-13:00")
    await opened.picture(page, "hours-meanwhile-1920")
    await panel.get_by_role("button", name="내가 쓴 것을 저장").click()
    await expect(page.locator("#said")).to_contain_text("저장했습니다. 버전 3")
    calendar = opened.front.house.versions.current("1000").flow.calendars["desk"]
    assert calendar.holiday_on(datetime.fromisoformat(day).date()) == "임시공휴일"
    assert calendar.week[5]

    # a menu that came on the air meanwhile with the same hours is nobody's concern here
    text = await draft_text(opened)
    await opened.front.house.versions.save_draft(text.replace("queue: pc", "queue: network"), 0, DEPUTY)
    draft = await opened.front.house.versions.working_draft()
    await opened.front.house.versions.publish(draft.revision, "", None, DEPUTY)
    await page.fill("#desk-sun", "10:00-12:00")
    await page.get_by_role("button", name="저장하고 바로 방송하기").click()
    await expect(page.locator("#said")).to_contain_text("저장했습니다. 버전 5")
    await expect(panel).to_be_hidden()


async def test_times_are_the_desks_wherever_the_supervisor_sits(opened: Opened) -> None:
    page = await opened.page("/flows", zone="America/New_York")
    await page.locator("[data-node=services]").click()
    await page.fill("#f-repeats", "4")
    await save(page)
    await expect(page.locator("#draft-state")).to_contain_text("boss")
    day = (datetime.now(SEOUL) + timedelta(days=3)).date()
    await page.fill("#at", f"{day}T09:00")
    await page.get_by_role("button", name="방송하기").click()
    await expect(page.locator("#said")).to_contain_text("오전 9:00")
    (ahead,) = opened.front.house.versions.history.ahead(opened.front.house.now())
    assert ahead.effective_at == datetime(day.year, day.month, day.day, 9, tzinfo=SEOUL)

    await page.goto(f"{opened.address}/notices")
    await page.wait_for_selector("body[data-loaded]")
    await expect(page.locator("#new")).to_contain_text("창구의 시각(Asia/Seoul)")
    await page.fill("#ko", "점검이 있습니다.")
    await page.fill("#starts", f"{day}T22:30")
    await page.get_by_role("button", name="3시간").click()
    await expect(page.locator("#ends")).to_have_value(f"{day + timedelta(days=1)}T01:30")
    await page.get_by_role("button", name="방송하기").click()
    await expect(page.locator("#notices tbody tr")).to_have_count(1)
    (notice,) = await opened.front.house.notices.lines()
    assert notice.starts_at == datetime(day.year, day.month, day.day, 22, 30, tzinfo=SEOUL)
    assert notice.ends_at - notice.starts_at == timedelta(hours=3)


async def test_a_clock_that_is_set_forward_and_back_is_read_as_it_shows(opened: Opened) -> None:
    page = await opened.page("/notices", zone="Asia/Tokyo")
    moments = await page.evaluate("""async () => {
      const { momentOf, deskTime } = await import("/static/ivr_flows/desk_time.js");
      const zone = "Europe/Berlin";
      const march = ["01:59", "02:30", "03:00"].map((time) => `2026-03-29T${time}`);
      const texts = [...march, "2026-10-25T02:30", "2026-10-25T03:00"];
      return texts.map((text) => [momentOf(text, zone) / 1000, deskTime(momentOf(text, zone), zone)]);
    }""")
    at = [datetime.fromtimestamp(seconds, UTC).strftime("%H:%M") for seconds, _ in moments]
    assert at == ["00:59", "01:30", "01:00", "00:30", "02:00"]  # 02:30 is skipped in March, and there twice in October
    assert [text[11:] for _, text in moments] == ["01:59", "03:30", "03:00", "02:30", "03:00"]
