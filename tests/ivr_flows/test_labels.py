"""Every kind of node and every field has a name that a supervisor reads, in Korean and English."""

from changgu.ivr_flows.kinds import KINDS
from changgu.ivr_flows.labels import COMPARISON_LABELS, FIELD_LABELS, KIND_LABELS, SPOKEN_LABELS
from changgu.ivr_flows.nodes import Comparison, SpokenWay


def test_no_kind_and_no_field_is_known_by_its_name_in_the_file_alone() -> None:
    assert set(KIND_LABELS) == set(KINDS)
    assert set(FIELD_LABELS) == {field.name for kind in KINDS.values() for field in kind.fields}
    assert set(COMPARISON_LABELS) == set(Comparison)
    assert set(SPOKEN_LABELS) == set(SpokenWay)
    every = (KIND_LABELS, FIELD_LABELS, COMPARISON_LABELS, SPOKEN_LABELS)
    for korean, english in (label for labels in every for label in labels.values()):
        assert korean
        assert english
