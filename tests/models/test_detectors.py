from __future__ import annotations

from streams.models.detectors import DETECTOR_NOTES
from streams.models.reference import DETECTORS
from streams.policy.feature_words import FEATURE_WORDS


def test_every_feature_that_is_shown_belongs_to_one_documented_detector() -> None:
    owners = [prefix for note in DETECTOR_NOTES for prefix in note.features]
    assert len(owners) == len(set(owners))
    assert {name.split(".")[0] for name in FEATURE_WORDS} == set(owners)


def test_every_detector_of_the_reference_is_documented() -> None:
    owners = {prefix for note in DETECTOR_NOTES for prefix in note.features}
    assert {*DETECTORS, "joint"} <= owners


def test_nothing_is_left_empty() -> None:
    names = [note.name for note in DETECTOR_NOTES]
    assert len(names) == len(set(names))
    for note in DETECTOR_NOTES:
        for text in note[2:6]:
            assert text == text.strip() != ""
