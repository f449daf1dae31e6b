"""Every kind of node and every field has a name that a supervisor reads, in Korean and English."""

from changgu.ivr_flows.kinds import KINDS
from changgu.ivr_flows.labels import FIELD_LABELS, KIND_LABELS


def test_no_kind_and_no_field_is_known_by_its_name_in_the_file_alone() -> None:
    assert set(KIND_LABELS) == set(KINDS)
    assert set(FIELD_LABELS) == {field.name for kind in KINDS.values() for field in kind.fields}
    for korean, english in (*KIND_LABELS.values(), *FIELD_LABELS.values()):
        assert korean
        assert english
