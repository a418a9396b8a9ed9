"""Attackers at their smallest: compared with the plain one, and hidden."""

from __future__ import annotations

from streams.scenarios.detection.adaptive import ATTACKERS, PLAIN, adaptive
from streams.scenarios.detection.source import Source


def test_attackers_are_compared_with_the_plain_one(source: Source) -> None:
    names = {"plain", "TLS rotated", "imitates a public harness"}
    chosen = tuple(each for each in ATTACKERS if each.name in names)
    results = adaptive(source, ordinary=20, hours=3, seed=1, attackers=chosen)
    assert [each.name for each in results] == [each.name for each in chosen]
    plain, tls, harness = results
    for each in results:
        assert 50 < each.accounts <= PLAIN.accounts
        assert each.exchanges > 0
        assert each.found or each.wins
    assert plain.cost_accounts is not None
    assert plain.cost_accounts >= 1
    assert tls.infrastructure == plain.infrastructure
    assert harness.infrastructure > plain.infrastructure
    assert harness.leak_not_covered.trials == harness.exchanges


def test_who_hides_behind_a_public_template_is_run_with_the_catalogue(
    source: Source,
) -> None:
    chosen = tuple(each for each in ATTACKERS if each.name.startswith("behind"))
    assert [each.catalogued for each in chosen] == [False, True]
    without, hidden = adaptive(source, ordinary=20, hours=3, seed=1, attackers=chosen)
    assert without.exchanges > 0
    assert hidden.exchanges > 0
    assert hidden.wins


def test_the_parts_of_a_split_campaign_add_up_to_it() -> None:
    (split,) = (each for each in ATTACKERS if each.name.startswith("split"))
    assert sum(part.accounts for part in split.campaigns) == PLAIN.accounts
    assert set(split.renamed) == {part.name for part in split.campaigns}
    assert set(split.renamed.values()) == {PLAIN.name}


def test_the_names_of_attackers_are_distinct() -> None:
    assert len({each.name for each in ATTACKERS}) == len(ATTACKERS)
