from __future__ import annotations

import pytest
import stix2

from streams.sdk.sharing.tlp import (
    TLP_LEVELS,
    TlpLevel,
    level_of,
    marking_definition,
    marking_id,
)


@pytest.mark.parametrize("level", TLP_LEVELS)
def test_each_level_is_the_published_object(level: TlpLevel) -> None:
    marking = stix2.parse(marking_definition(level))
    assert marking.id == marking_id(level)
    assert marking.name == f"TLP:{level.upper()}"
    assert level_of([marking_id(level)]) == level


def test_the_marks_of_tlp_1_are_known_by_the_ids_of_stix2() -> None:
    levels = {"clear": stix2.TLP_WHITE, "green": stix2.TLP_GREEN}
    levels |= {"amber": stix2.TLP_AMBER, "red": stix2.TLP_RED}
    for level, marking in levels.items():
        assert level_of([marking.id]) == level


def test_the_strictest_mark_counts_and_a_foreign_one_is_none() -> None:
    order = [marking_id(level) for level in TLP_LEVELS]
    assert level_of(order) == "red"
    assert level_of(order[:3]) == "amber"
    assert (
        level_of(["marking-definition--5031b8ce-0b05-4a6e-ad35-89e91a2680c4"]) is None
    )
