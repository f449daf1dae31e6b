"""What a drawing of a tree has room for."""

from xml.etree import ElementTree

from changgu.ivr_flows.draw import SIDE, SIZE, WIDEST
from changgu.ivr_flows.lettering import fitted, width_of
from changgu.ivr_flows.service import draw_file, shipped_menu

SVG = "{http://www.w3.org/2000/svg}"


def test_a_korean_sentence_takes_twice_the_room_of_a_latin_word_and_is_cut_sooner() -> None:
    assert width_of("접수상태", 12) > 1.5 * width_of("tick", 12)
    assert width_of("ticket", 12, bold=True) > width_of("ticket", 12)
    assert fitted("접수번호로 조회", 60, 12) == "접수번호…"
    assert fitted("queue", 60, 12) == "queue"
    assert fitted("", 0, 12) == ""
    assert fitted("접수", 1, 12) == "…"


def test_whatever_is_cut_fits_its_room() -> None:
    for text in ("안내 말씀 drawn with 뒤섞인 letters", "1→ticket_status  2→services", "MMMM"):
        for room in range(12, 200, 7):
            assert width_of(fitted(text, room, 12), 12) <= room


def test_every_line_of_a_drawn_tree_fits_its_box_and_its_whole_text_is_in_the_title() -> None:
    picture = ElementTree.fromstring(draw_file(shipped_menu("office"), svg=True))
    cut = 0
    for node in picture.iter(f"{SVG}g"):
        box, title = node.find(f"{SVG}rect"), node.find(f"{SVG}title")
        assert box is not None
        assert title is not None
        for text in node.iter(f"{SVG}text"):
            said = text.text or ""
            room = int(box.attrib["width"]) - 2 * SIDE
            assert width_of(said, SIZE, bold=text.attrib["font-weight"] == "bold") <= room <= WIDEST
            cut += said.endswith("…")
            assert said.removesuffix("…") in (title.text or "")
    assert cut > 0
