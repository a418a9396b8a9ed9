"""The marks of the Traffic Light Protocol 2.0, as STIX objects.

Source: FIRST, Traffic Light Protocol 2.0; the ids are those of the OASIS extension
definition for TLP 2.0 (cti-stix-common-objects).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias, get_args

__all__ = ["TLP_LEVELS", "TlpLevel", "level_of", "marking_definition", "marking_id"]

TlpLevel: TypeAlias = Literal["clear", "green", "amber", "amber+strict", "red"]
"""From everybody to nobody but the person addressed."""
TLP_LEVELS: Final[tuple[TlpLevel, ...]] = get_args(TlpLevel)

_EXTENSION: Final = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
_CREATED: Final = "2022-10-01T00:00:00.000Z"  # part of the published objects
_IDS: Final[Mapping[TlpLevel, str]] = {
    "clear": "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    "green": "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    "amber": "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    "amber+strict": "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    "red": "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}
# The four that STIX 2.1 itself defines (section 7.2.1.4), for TLP 1.
_LEVELS: Final[Mapping[str, TlpLevel]] = {
    "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": "clear",
    "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": "green",
    "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": "amber",
    "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": "red",
    **{identifier: level for level, identifier in _IDS.items()},
}


def marking_id(level: TlpLevel) -> str:
    """Give the id that objects name in ``object_marking_refs``."""
    return _IDS[level]


def marking_definition(level: TlpLevel) -> dict[str, Any]:
    """Give the published object, which travels with the bundle.

    >>> marking_definition("amber+strict")["name"]
    'TLP:AMBER+STRICT'
    """
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": _IDS[level],
        "created": _CREATED,
        "name": f"TLP:{level.upper()}",
        "extensions": {
            _EXTENSION: {"extension_type": "property-extension", "tlp_2_0": level}
        },
    }


def level_of(marking_refs: Iterable[str]) -> TlpLevel | None:
    """Read the strictest level among marks, of TLP 1 too; None without any.

    >>> level_of([marking_id("clear"), marking_id("red")])
    'red'
    """
    levels = {_LEVELS[ref] for ref in marking_refs if ref in _LEVELS}
    return max(levels, key=TLP_LEVELS.index, default=None)
