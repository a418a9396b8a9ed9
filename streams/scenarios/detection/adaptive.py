"""Attackers who know what is looked for, one evasion at a time, and what it costs them.

Every attacker is a change to one plain campaign (`PLAIN`). The *cost multiplier* is
SEAT's idea (Zhang et al. 2021): resources times time per exchange that got through, in
units of what the plain campaign pays where nobody enforces anything. ``accounts``
counts all that were opened; ``infrastructure`` networks, payments and client builds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from streams.scenarios.chance import dice
from streams.scenarios.corpora import REASONING_ROLES
from streams.scenarios.detection.campaign_figures import CampaignFigures, figures
from streams.scenarios.detection.intervals import Rate
from streams.scenarios.detection.populations import small
from streams.scenarios.detection.run import Run, Simulated, run, simulated
from streams.scenarios.detection.source import NON_ENGLISH, Source
from streams.scenarios.facets import BROWSERS, SDKS
from streams.scenarios.prompt_table import SIMULATION_KEY, SIMULATION_KEY_ID
from streams.scenarios.scenario import (
    Campaign,
    CampaignFacets,
    Cohort,
    Pool,
    Scenario,
    Templates,
)
from streams.sketch.catalogue_builder import build_catalogue, public_templates

__all__ = ["ATTACKERS", "PLAIN", "AdaptiveFigures", "Attacker", "adaptive"]

ATTACK: Final = "attack"
"""Name of the campaign in every variant, also where it is made of many."""
_POISONED: Final = "poisoned"
_PUPPETS_PER_ACCOUNT: Final = 3
_POISONING_HOURS: Final = 4.0
"""The puppets call for so long before the campaign starts."""
_PARTS: Final = 15
_PART: Final = 4
"""Accounts of each part of a campaign that was split: below the five owners that a
group needs before it is tested."""
_WINS: Final = 0.8
"""An attacker wins who is not found, or gets this share of the exchanges through."""

PLAIN: Final = Campaign(
    name=ATTACK,
    shape="reasoning",
    accounts=_PARTS * _PART,
    requests_per_day=(60, 120),
    roles=REASONING_ROLES,
    mix_share=0.6,
    start_hour=1,
    age_days=(0.5, 20),
    templates=Templates(count=4, wrap=("both",)),
    facets=CampaignFacets(networks=10, clients=3, payments=6),
)
_PARAPHRASED: Final = Templates(count=4, wrap=("both",), word_drop=0.15)
_RANDOMISED: Final = Templates(
    count=40, wrap=("both", "prefix", "suffix"), word_drop=0.1, random_prefix=1.0
)
_HARNESS: Final = ("simple-evals-math", "mt-bench-single")
_UNSHARED: Final = CampaignFacets(networks=0, clients=10, client="browser", payments=0)


class Attacker(msgspec.Struct, frozen=True):
    """A variant: its campaigns, honest-looking cohorts, and what is hostile in truth.

    ``altered`` names a field of each record that is drawn anew for each account.
    ``catalogued``: the deployment has the shipped catalogue of public templates.
    """

    name: str
    campaigns: tuple[Campaign, ...]
    cohorts: tuple[Cohort, ...] = ()
    pools: tuple[Pool, ...] = ()
    renamed: Mapping[str, str] = {}
    every: int = 1
    altered: str = ""
    extra_accounts: int = 0
    catalogued: bool = False


def _facets(**changes: Any) -> tuple[Campaign, ...]:
    return (replace(PLAIN, facets=replace(PLAIN.facets, **changes)),)


def _parts() -> tuple[Campaign, ...]:
    return tuple(
        replace(
            PLAIN,
            name=f"part-{number}",
            accounts=_PART,
            facets=CampaignFacets(networks=1, clients=1, payments=1),
            templates=Templates(count=1, wrap=("both",)),
        )
        for number in range(_PARTS)
    )


def _public(name: str, *, catalogued: bool) -> Attacker:
    """Hide behind a public harness's own wording, which honest programs use as well."""
    return Attacker(
        name,
        (replace(PLAIN, templates=Templates(public=_HARNESS)),),
        cohorts=(
            Cohort(
                name="harness_users",
                behaviour="bulk",
                accounts=2 * _PARTS * _PART,
                requests_per_day=60,
                roles=("legit-bulk",),
                client="sdk",
                borrows=ATTACK,
                borrowed=0.9,
            ),
        ),
        catalogued=catalogued,
    )


ATTACKERS: Final = (
    Attacker("plain", (PLAIN,)),
    Attacker("slower pace (1/6)", (replace(PLAIN, requests_per_day=(10, 20)),)),
    Attacker("templates paraphrased", (replace(PLAIN, templates=_PARAPHRASED),)),
    Attacker("templates randomised", (replace(PLAIN, templates=_RANDOMISED),)),
    Attacker("network rotated", _facets(networks=0)),
    Attacker("TLS rotated", (PLAIN,), altered="tls_ja4"),
    Attacker("client rotated", (PLAIN,), altered="client"),
    Attacker("payment rotated", _facets(payments=0)),
    Attacker(
        "all facets rotated",
        (replace(PLAIN, facets=_UNSHARED, created_together=1),),
    ),
    Attacker(
        "all facets, randomised, aged, as people",
        (
            replace(
                PLAIN,
                facets=_UNSHARED,
                templates=_RANDOMISED,
                created_together=1,
                age_days=(30, 400),
                pace="diurnal",
            ),
        ),
    ),
    Attacker("mixed down to 10 %", (replace(PLAIN, mix_share=0.1),)),
    Attacker("mixed down to 2 %", (replace(PLAIN, mix_share=0.02),)),
    Attacker(
        "baselines poisoned by puppets",
        (
            replace(
                PLAIN,
                start_hour=_POISONING_HOURS,
                facets=replace(PLAIN.facets, networks=0, pool=_POISONED),
            ),
        ),
        cohorts=(
            Cohort(
                name="puppets",
                accounts=_PUPPETS_PER_ACCOUNT * _PARTS * _PART,
                requests_per_day=6,
                network=_POISONED,
            ),
        ),
        pools=(Pool(name=_POISONED, networks=10),),
        extra_accounts=_PUPPETS_PER_ACCOUNT * _PARTS * _PART,
    ),
    Attacker(
        f"split into {_PARTS} of {_PART}",
        _parts(),
        renamed={f"part-{number}": ATTACK for number in range(_PARTS)},
    ),
    Attacker(
        "non-English",
        (replace(PLAIN, shape="coercion", roles=(NON_ENGLISH, *PLAIN.roles)),),
    ),
    Attacker(
        "imitates a public harness",
        (),
        cohorts=(
            Cohort(
                name="harness",
                behaviour="harness",
                accounts=2 * _PARTS * _PART,
                requests_per_day=90,
                roles=("campaign-cot-seed", "campaign-cot", "legit-bulk"),
                client="sdk",
                items=4000,
                spread=0.3,
            ),
        ),
        renamed={"harness": ATTACK},
        every=2,
    ),
    _public("behind a public template", catalogued=False),
    _public("behind a catalogued template", catalogued=True),
)
"""The harness has as many honest users as hostile ones."""


class AdaptiveFigures(msgspec.Struct, frozen=True):
    """What an attacker got, and paid; ``wins`` when not found or most got through."""

    name: str
    found: bool
    wins: bool
    accounts: int
    accounts_used: int
    infrastructure: int
    exchanges: int
    hours_first_alert: float | None
    leak_first_alert: Rate
    leak_effective: Rate
    leak_not_covered: Rate
    leak_unchallenged: Rate
    linked: Rate
    wrong_accounts: int
    cost_accounts: float | None
    cost_infrastructure: float | None


def adaptive(
    source: Source,
    *,
    ordinary: int,
    hours: float,
    seed: int,
    attackers: tuple[Attacker, ...] = ATTACKERS,
    progress: Callable[[str, int, int], None] = lambda _step, _done, _total: None,
) -> tuple[AdaptiveFigures, ...]:
    """Run each attacker in a population of its own; the first one is the plain one."""
    runs = []
    with TemporaryDirectory() as folder:
        catalogue = Path(folder) / "catalogue.json"
        if any(attacker.catalogued for attacker in attackers):
            catalogue.write_bytes(_shipped_catalogue())
        for number, attacker in enumerate(attackers):
            place = str(catalogue) if attacker.catalogued else ""
            scenario = _scenario(attacker, ordinary, hours, seed)
            runs.append(_run(attacker, simulated(scenario, source), place))
            progress("adaptive attackers", number + 1, len(attackers))
    (plain, plain_infrastructure, _) = runs[0]
    per_exchange = (
        plain.accounts / max(plain.exchanges, 1),
        plain_infrastructure / max(plain.exchanges, 1),
    )
    return tuple(
        _figures(attacker, *done, per_exchange)
        for attacker, done in zip(attackers, runs, strict=True)
    )


def _shipped_catalogue() -> bytes:
    keys = [(SIMULATION_KEY_ID, SIMULATION_KEY)]
    return build_catalogue(public_templates(), keys).encode()


def _scenario(attacker: Attacker, ordinary: int, hours: float, seed: int) -> Scenario:
    return small(
        f"adaptive-{attacker.name}",
        hours=hours,
        ordinary=ordinary,
        cohorts=attacker.cohorts,
        campaign=attacker.campaigns,
        pools=attacker.pools,
        seed=seed,
    )


def _run(
    attacker: Attacker, made: Simulated, catalogue: str
) -> tuple[CampaignFigures, int, int]:
    """Give the campaign's figures, its infrastructure, and honest accounts wronged."""
    done: Run = run(
        made,
        renamed=attacker.renamed,
        every=attacker.every,
        altered=_altering(attacker.altered) if attacker.altered else None,
        catalogue=catalogue,
    )
    result = figures(done)
    (campaign,) = result.campaigns
    wrong = sum(
        cohort.above_label() for cohort in result.cohorts if cohort.cohort != "puppets"
    )
    return campaign, done.infrastructure[ATTACK], wrong


def _altering(field: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Draw a field of the client's build for each account by itself."""
    values = [getattr(build, field) for build in (*BROWSERS, *SDKS)]

    def altered(record: dict[str, Any]) -> dict[str, Any]:
        return record | {field: dice(field, record["account_id"]).choice(values)}

    return altered


def _figures(
    attacker: Attacker,
    campaign: CampaignFigures,
    infrastructure: int,
    wrong: int,
    plain: tuple[float, float],
) -> AdaptiveFigures:
    through = campaign.leak_not_covered.hits
    used = campaign.accounts_used + attacker.extra_accounts

    def cost(units: int, of_plain: float) -> float | None:
        return round(units / through / of_plain, 2) if through and of_plain else None

    return AdaptiveFigures(
        name=attacker.name,
        found=campaign.found,
        wins=not campaign.found or (campaign.leak_not_covered.rate or 0.0) >= _WINS,
        accounts=campaign.accounts + attacker.extra_accounts,
        accounts_used=used,
        infrastructure=infrastructure,
        exchanges=campaign.exchanges,
        hours_first_alert=campaign.hours_first_alert,
        leak_first_alert=campaign.leak_first_alert,
        leak_effective=campaign.leak_effective,
        leak_not_covered=campaign.leak_not_covered,
        leak_unchallenged=campaign.leak_unchallenged,
        linked=campaign.recall,
        wrong_accounts=wrong,
        cost_accounts=cost(used, plain[0]),
        cost_infrastructure=cost(infrastructure, plain[1]),
    )
