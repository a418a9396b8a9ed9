from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from sharing_samples import FACETS, JA4, KEY, labels

from streams.features.account_row import FACET_KINDS
from streams.sdk.sharing.shared_facets import RECOGNISED_BY, facet_of, shared_facets


def test_every_kind_of_facet_but_the_payment_may_leave() -> None:
    assert set(FACET_KINDS) - set(RECOGNISED_BY) == {"payment"}
    assert [facet.kind for facet in shared_facets(FACETS, KEY)] == [
        "template_head",
        "tls",
        "network",
        "client",
    ]


def test_a_facet_leaves_once_and_under_the_sharing_key() -> None:
    (facet,) = shared_facets([f"tls:{JA4}", f"tls:{JA4}"], KEY)
    assert facet == ("tls", KEY.keyed("tls", JA4))


@given(labels)
def test_a_label_is_split_at_its_first_colon(label: str) -> None:
    kind, _, identifier = label.partition(":")
    shared = None if kind == "payment" else (kind, identifier)
    assert facet_of(label) == shared


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    assert facet_of(text) is None or text.partition(":")[0] in RECOGNISED_BY
