"""Indicators of a STIX 2.1 bundle, ours or with our extension, read and checked.

An indicator names a facet by an HMAC only. The receiver hashes the facets it knows with
the same sharing key; an indicator whose facet is not among them says nothing yet, and
is kept out. What is taken is a reason to look at a facet, never to act: the entry that
is made of it changes no threshold.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec

from streams.errors import InvalidRecord
from streams.sdk.sharing.shared_facets import RECOGNISED_BY, SharedFacet, facet_of
from streams.sdk.sharing.sharing_key import SharingKey
from streams.sdk.sharing.stix import load_stix2
from streams.sdk.sharing.stix_vocabulary import FACET_EXTENSION
from streams.sdk.sharing.tlp import TlpLevel, level_of

__all__ = [
    "KEPT_OUT",
    "BundleReport",
    "KeptOut",
    "WatchedFacet",
    "Why",
    "read_indicators",
]

Why: TypeAlias = Literal[
    "malformed",
    "foreign",
    "unmarked",
    "red",
    "expired",
    "not_yet_valid",
    "low_confidence",
    "no_key",
    "other_key",
    "unknown",
]
KEPT_OUT: Final[Mapping[Why, str]] = {
    "malformed": "not a valid indicator of STIX 2.1",
    "foreign": "without the extension for facets; nothing here can watch for it",
    "unmarked": "without a TLP mark: ask the producer how far it may go",
    "red": "TLP:RED is for the person addressed only; ask for amber+strict",
    "expired": "no longer valid",
    "not_yet_valid": "not valid yet; import it again then",
    "low_confidence": "below the least confidence asked for",
    "no_key": "nothing can be recognised without the sharing key of its producer",
    "other_key": "made with another sharing key",
    "unknown": "a facet that has not been seen here; import it again later",
}
"""Why an indicator is kept out, in words."""

_MOST_CONFIDENCE: Final = 100  # STIX 2.1, section 3.2
_MAX_TOLD: Final = 200  # characters of a foreign error or name
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND: Final = dt.timedelta(milliseconds=1)
_Digest: TypeAlias = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
_KeyId: TypeAlias = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]


class WatchedFacet(msgspec.Struct, frozen=True, kw_only=True):
    """A facet of one's own that an indicator names; ``valid_until`` in ms."""

    stix_id: str
    label: str
    valid_until: int
    confidence: int
    producer: str
    tlp: TlpLevel


class KeptOut(msgspec.Struct, frozen=True, kw_only=True):
    """An indicator that is not taken, and why."""

    stix_id: str
    why: Why
    detail: str = ""


class BundleReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle holds: facets to watch, ids of revoked indicators, the rest."""

    watched: tuple[WatchedFacet, ...] = ()
    revoked: tuple[str, ...] = ()
    kept_out: tuple[KeptOut, ...] = ()


class _Extension(msgspec.Struct, frozen=True):
    """What our extension says of an indicator."""

    kind: str
    hmac_sha256: _Digest
    key_id: _KeyId


class _KeptOutError(Exception):
    def __init__(self, why: Why, detail: str = "") -> None:
        super().__init__(why)
        self.why: Why = why
        self.detail = detail


def read_indicators(
    bundle: bytes,
    *,
    place: str,
    known: Iterable[str],
    key: SharingKey | None,
    now: int,
    min_confidence: int = 50,
) -> BundleReport:
    """Check each indicator and look its facet up among one's own.

    ``known`` are labels KIND:ID, ``now`` is in ms since the epoch, ``place`` names the
    bundle in errors. Of several versions of an indicator the last one counts. Raises
    `InvalidRecord` when this is no STIX bundle at all, `MissingTool` without stix2.
    """
    stix2 = load_stix2()
    objects = _objects(bundle, place)
    own: dict[SharedFacet, str] = {}
    if key is not None:
        for kind, identifier in filter(None, map(facet_of, known)):
            facet = SharedFacet(kind, key.keyed(kind, identifier))
            own[facet] = f"{kind}:{identifier}"
    names = _producers(objects)
    watched: list[WatchedFacet] = []
    revoked: list[str] = []
    kept_out: list[KeptOut] = []
    for stix_id, found in _newest(stix2, objects, kept_out).items():
        if found.get("revoked"):
            revoked.append(stix_id)
            continue
        try:
            extension = _extension(found)
            tlp = _check(found, now, min_confidence)
            label = _own_label(extension, own, key)
        except _KeptOutError as refused:
            kept = KeptOut(stix_id=stix_id, why=refused.why, detail=refused.detail)
            kept_out.append(kept)
            continue
        watched.append(
            WatchedFacet(
                stix_id=stix_id,
                label=label,
                valid_until=_milliseconds(found["valid_until"]),
                confidence=found["confidence"],
                producer=names.get(found.get("created_by_ref", ""), "unknown producer"),
                tlp=tlp,
            )
        )
    return BundleReport(
        watched=tuple(watched), revoked=tuple(revoked), kept_out=tuple(kept_out)
    )


def _objects(bundle: bytes, place: str) -> list[Any]:
    try:
        content = msgspec.json.decode(bundle)
    except (msgspec.DecodeError, RecursionError):
        raise InvalidRecord(f"{place} is not JSON") from None
    if not isinstance(content, dict) or content.get("type") != "bundle":
        raise InvalidRecord(f"{place} is not a STIX bundle")
    objects = content.get("objects", [])
    if not isinstance(objects, list):
        raise InvalidRecord(f"{place} is not a STIX bundle: its objects are no list")
    return objects


def _producers(objects: list[Any]) -> dict[str, str]:
    """Give the names of identities by their ids."""
    return {
        str(each.get("id")): str(each.get("name"))[:_MAX_TOLD]
        for each in objects
        if isinstance(each, dict) and each.get("type") == "identity"
    }


def _newest(stix2: Any, objects: list[Any], kept_out: list[KeptOut]) -> dict[str, Any]:
    """Parse all indicators; give the last version of each by its id."""
    newest: dict[str, Any] = {}
    for plain in objects:
        if not isinstance(plain, dict) or plain.get("type") != "indicator":
            continue
        stix_id = str(plain.get("id"))[:_MAX_TOLD]
        try:
            parsed = stix2.parse(plain, version="2.1")
        # It meets whatever others wrote, and what it raises then is not documented.
        except Exception as error:  # noqa: BLE001  see above; the rest is still read
            detail = f"{type(error).__name__}: {error}"[:_MAX_TOLD]
            kept_out.append(KeptOut(stix_id=stix_id, why="malformed", detail=detail))
            continue
        earlier = newest.get(parsed["id"])
        if earlier is None or earlier["modified"] <= parsed["modified"]:
            newest[parsed["id"]] = parsed
    return newest


def _extension(found: Any) -> _Extension:
    extension = found.get("extensions", {}).get(FACET_EXTENSION)
    if extension is None:
        raise _KeptOutError("foreign")
    if not isinstance(extension, Mapping):
        raise _KeptOutError("malformed", "its extension is no object")
    try:
        facet = msgspec.convert(dict(extension), _Extension)
    except msgspec.ValidationError as error:
        raise _KeptOutError("malformed", str(error)) from None
    if facet.kind not in RECOGNISED_BY:
        raise _KeptOutError("malformed", "facets of this kind are not shared")
    return facet


def _check(found: Any, now: int, min_confidence: int) -> TlpLevel:
    tlp = level_of(found.get("object_marking_refs", ()))
    if tlp is None:
        raise _KeptOutError("unmarked")
    if tlp == "red":
        raise _KeptOutError("red")
    if "valid_until" not in found:
        raise _KeptOutError("malformed", "it has no valid_until, so it would never end")
    if _milliseconds(found["valid_until"]) <= now:
        raise _KeptOutError("expired", f"since {_told(found['valid_until'])}")
    if _milliseconds(found["valid_from"]) > now:
        raise _KeptOutError("not_yet_valid", f"until {_told(found['valid_from'])}")
    confidence = found.get("confidence", 0)
    if not 0 <= confidence <= _MOST_CONFIDENCE:  # stix2 lets any number pass
        raise _KeptOutError("malformed", f"a confidence of {confidence}")
    if confidence < min_confidence:
        raise _KeptOutError("low_confidence", f"{confidence} of {min_confidence}")
    return tlp


def _own_label(
    facet: _Extension, own: Mapping[SharedFacet, str], key: SharingKey | None
) -> str:
    if key is None:
        raise _KeptOutError("no_key")
    if facet.key_id != key.key_id:
        raise _KeptOutError("other_key", f"{facet.key_id}, and yours is {key.key_id}")
    label = own.get(SharedFacet(facet.kind, facet.hmac_sha256))
    if label is None:
        raise _KeptOutError("unknown", f"kind {facet.kind}")
    return label


def _milliseconds(moment: dt.datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND


def _told(moment: dt.datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
