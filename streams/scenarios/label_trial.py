"""A trial of labels: what they help, and what a dishonest author can do with them.

A campaign's templates have spread: half of those who use them are ordinary accounts
behind the same proxy, with the same clients. The shipped reference knows such people,
and calls nobody anything here. The trial's own reference has never seen any: it finds
the campaign, and wrongs them. Then people label a few accounts, right or wrong, and the
same history is decided again with these labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal, NamedTuple

import polars as pl
from msgspec.structs import replace

from streams.contracts import decode, encode, iter_datums
from streams.contracts.records import (
    Action,
    Alert,
    ControlEntry,
    decode_record,
    encode_record,
)
from streams.contracts.time_units import MS_PER_MINUTE
from streams.engine.campaigns_stage import CampaignsStage
from streams.engine.control_stage import ControlRecord, forward
from streams.engine.label_effects import LabelEffects
from streams.engine.replay import Pipeline
from streams.engine.stage import Chunk, DirtyRows, Output, Rejected, Row
from streams.engine.stages import Topology
from streams.models.evidence import RankedScores
from streams.models.reference import (
    GROUP_LOOKS,
    STRATA,
    WEIGHTS,
    Reference,
    load_reference,
)
from streams.policy.control_entries import Label, label_entry
from streams.policy.ladder import RUNGS
from streams.scenarios.chance import dice
from streams.scenarios.corpora import REASONING_ROLES
from streams.scenarios.scenario import (
    Campaign,
    CampaignFacets,
    Cohort,
    Pool,
    Scenario,
    Templates,
    load,
)
from streams.scenarios.simulate import EVENTS, EXCHANGES, TRUTH, simulate

__all__ = [
    "CASES",
    "History",
    "Outcome",
    "label_cases",
    "make_history",
    "replay_with",
    "roc_area",
    "said",
]

CASES: Final[Mapping[str, str]] = {
    "none": "no labels",
    "few": "20 accounts of each kind, labelled by four authors",
    "alone": "the same by one author",
    "many": "two in five accounts, labelled by four authors",
    "flipped": "the same, and 5 % of the labels turned round by one more author",
    "shielded": "few, and one more author calls hundreds of the campaign benign",
    "turned": "one author alone calls them benign, and borrowers distillation",
}
"""Who labels what; the dishonest author is `DISHONEST`."""

DISHONEST: Final = "mallory"
BORROWERS: Final = "borrowers"
_HONEST: Final = ("ana", "bo", "cy", "di")
_FEW: Final = 20
_MANY, _FLIPPED, _SHIELDED = 0.38, 0.02, 0.65  # shares of either kind of accounts
_LINKS: Final = "llm.links"
_ACTIONS: Final = "llm.actions"
_BATCH: Final = 20_000
_UNITS: Final = 2**14 - 1
"""Units of the trial's own reference: enough for all that the ladder asks for."""
_BORROWED: Final = 0.35
"""Share of a borrower's exchanges that use one of the campaign's templates."""
_OBSERVE, _THROTTLE = RUNGS.index("observe"), RUNGS.index("throttle")


class History(NamedTuple):
    """The log of llm.links of a simulated population, and who is who in it."""

    links: list[tuple[int, bytes]]
    start: int
    campaign: frozenset[str]
    borrowers: frozenset[str]


class Outcome(NamedTuple):
    """What was decided with some labels, about the accounts that nobody labelled.

    ``area`` is the area under the ROC curve of the label model, campaign accounts
    against borrowers. ``wrong`` and ``right`` count borrowers and campaign accounts by
    the rung they were put on after the labels, or above; ``held`` counts campaign
    accounts by the one on which they stand in the end. ``unlabelled`` is how many of
    both kinds there are. ``disputed`` are the summaries of alerts, ``examples`` what
    the model was learned from, and ``least`` the lowest factor of an e-value that the
    authors together could bring about.
    """

    area: float
    wrong: Mapping[str, int]
    right: Mapping[str, int]
    held: Mapping[str, int]
    unlabelled: tuple[int, int]
    disputed: tuple[str, ...]
    least: float
    examples: int

    def share(self, kind: Literal["wrong", "right", "held"], rung: str) -> float:
        """Share of the unlabelled that a kind counts on a rung or above."""
        counts = {"wrong": self.wrong, "right": self.right, "held": self.held}[kind]
        return counts[rung] / max(self.unlabelled[kind != "wrong"], 1)


def make_history(*, accounts: int, hours: int = 36, seed: int = 1) -> History:
    """Simulate a campaign of so many accounts, and as many borrowers.

    Twenty times as many ordinary accounts have nothing to do with it.
    """
    scenario = _scenario(accounts, hours, seed)
    with TemporaryDirectory() as folder:
        place = Path(folder)
        simulate(scenario, place)
        truth = pl.read_csv(place / TRUTH)
        guilty = set(pl.read_csv(place / EXCHANGES)["event_id"])
        campaign = frozenset(truth.drop_nulls("campaign")["account_id"])
        borrowers = frozenset(truth.filter(cohort=BORROWERS)["account_id"])
        events = [decode("RequestEvent", each) for each in iter_datums(place / EVENTS)]
    sketches = [e["sketch"] for e in events if e["event_id"] in guilty]
    chance = dice("label trial", seed)
    for event in events:
        if event["account_id"] in borrowers and chance.random() < _BORROWED:
            event["sketch"] = chance.choice(sketches)
    values = [encode("RequestEvent", event) for event in events]
    start = round(scenario.start.timestamp() / 60)
    return History(_links(values), start, campaign, borrowers)


def _scenario(accounts: int, hours: int, seed: int) -> Scenario:
    """Both kinds sit behind one proxy and come in all ages; ties differ in degree."""
    proxy = CampaignFacets(pool="proxy", clients=3)
    return Scenario(
        name="labels",
        description="A campaign whose templates ordinary accounts use as well.",
        start=load("calm").start,
        duration_hours=hours,
        seed=seed,
        models={"aurora-2": 5.0, "borealis-1": 1.0},
        pool=(Pool(name="proxy", networks=max(accounts // 6, 2), rotate=True),),
        cohort=(
            Cohort(name="people", accounts=20 * accounts, requests_per_day=2.0),
            Cohort(
                name=BORROWERS,
                accounts=accounts,
                requests_per_day=24.0,
                spread=0.5,
                network="proxy",
                client="sdk",
                age_days=(1.0, 200.0),
            ),
        ),
        campaign=(
            Campaign(
                name="harvest",
                accounts=accounts,
                requests_per_day=(26.0, 60.0),
                shape="reasoning",
                roles=REASONING_ROLES,
                mix_share=0.6,
                start_hour=2.0,
                pace="diurnal",
                age_days=(0.5, 30.0),
                created_together=8,
                templates=Templates(count=3, wrap=("both", "suffix")),
                facets=proxy,
            ),
        ),
    )


class _Recorder:
    """Stands for the campaigns stage, and keeps what it is sent."""

    applied_offset = 0
    open_minute = None

    def __init__(self) -> None:
        self.links: list[tuple[int, bytes]] = []

    def take(self, chunk: Chunk) -> list[Rejected]:
        for time, value in zip(chunk.timestamps, chunk.values, strict=True):
            if value is not None:
                self.links.append((time, value))
        return []

    def close_idle(self, minute: int) -> None:
        """Do nothing."""

    def advance(self) -> list[Output]:
        return []

    def dirty_rows(self) -> DirtyRows:
        return DirtyRows()

    def restore(self, rows: Iterable[Row]) -> None:
        """Do nothing."""

    def restored(self) -> None:
        """Do nothing."""


def _links(values: Sequence[bytes]) -> list[tuple[int, bytes]]:
    pipeline, recorder = Pipeline(), _Recorder()
    pipeline.stages[_LINKS] = [recorder]
    for at in range(0, len(values), _BATCH):
        pipeline.feed(list(values[at : at + _BATCH]))
        pipeline.flush()
    pipeline.close()
    return recorder.links


def said(
    accounts: Iterable[str], label: Label, author: str, created_at: int = 0
) -> list[ControlEntry]:
    """Let an author label accounts."""
    return [
        label_entry(
            f"account:{name}",
            label,
            author=author,
            reason="trial",
            created_at=created_at,
        )
        for name in accounts
    ]


def label_cases(history: History, seed: int = 1) -> dict[str, list[ControlEntry]]:
    """Draw the labels of each of `CASES`."""
    chance = dice("labels", seed)
    size = len(history.campaign)
    ordinary, harmful = (
        chance.sample(sorted(accounts), len(accounts))
        for accounts in (history.borrowers, history.campaign)
    )

    def right(count: int, authors: Sequence[str]) -> list[ControlEntry]:
        labels = []
        for at in range(count):
            author = authors[at % len(authors)]
            labels += said([ordinary[at]], "benign", author)
            labels += said([harmful[at]], "distillation", author)
        return labels

    def wrong(benign: int, distillation: int) -> list[ControlEntry]:
        labels = said(harmful[::-1][:benign], "benign", DISHONEST)
        return labels + said(ordinary[::-1][:distillation], "distillation", DISHONEST)

    few, many = right(_FEW, _HONEST), right(round(_MANY * size), _HONEST)
    flipped = many + wrong(round(_FLIPPED * size), round(_FLIPPED * size))
    chance.shuffle(flipped)
    return {
        "none": [],
        "few": few,
        "alone": right(_FEW, _HONEST[:1]),
        "many": many,
        "flipped": flipped,
        "shielded": few + wrong(round(_SHIELDED * size), 0),
        "turned": wrong(round(_SHIELDED * size), _FEW),
    }


def replay_with(
    history: History, labels: Sequence[ControlEntry], *, hour: float = 14.0
) -> Outcome:
    """Decide the history with labels that are given ``hour`` hours after its start."""
    after = history.start + round(hour * 60)
    stage, outputs = _decide(history, labels, after)
    effects = LabelEffects(stage.state, stage.decider)
    labelled = {each.subject.removeprefix("account:") for each in labels}
    book = stage.state.labels
    scores: dict[bool, list[float]] = {True: [], False: []}
    left = (history.borrowers - labelled, history.campaign - labelled)
    for guilty, accounts in zip((False, True), left, strict=True):
        for account in sorted(accounts):
            seen = effects.look_at(account)
            if seen.features:
                score = book.model.score(seen.features, seen.prior)
                scores[guilty].append(score)
    return Outcome(
        area=roc_area(scores[True], scores[False]),
        wrong=_counts(_put(outputs, after), left[0]),
        right=_counts(_put(outputs, after), left[1]),
        held=_counts(_standing(outputs), left[1]),
        unlabelled=(len(left[0]), len(left[1])),
        disputed=tuple(_disputes(outputs)),
        least=book.least_factor,
        examples=book.taught,
    )


def _decide(
    history: History, labels: Sequence[ControlEntry], after: int
) -> tuple[CampaignsStage, list[Output]]:
    stage = CampaignsStage(
        0,
        facet_partitions=Topology.shipped().facet_partitions,
        reference=_unknowing(),
        mode="enforce",
    )
    log = [
        (after * MS_PER_MINUTE, forward(_record(at, entry, after), 0).value or b"")
        for at, entry in enumerate(labels)
    ]
    log += history.links
    outputs: list[Output] = []
    for at in range(0, len(log), _BATCH):
        part = log[at : at + _BATCH]
        values = [value for _, value in part]
        times = [time for time, _ in part]
        stage.take(Chunk(range(at, at + len(part)), values, times))
        outputs += stage.advance()
    return stage, outputs


@cache
def _unknowing() -> Reference:
    """Give a reference that has seen neither such groups nor such people.

    Its groups score 0, and its bystanders have no tie to any group.
    """
    known = load_reference()
    groups = dict.fromkeys(WEIGHTS, RankedScores.of([0.0] * _UNITS))
    unlike = RankedScores.of([known.member.intercept] * _UNITS)
    return replace(
        known,
        version="trial",
        groups=[dict.fromkeys(STRATA, groups) for _ in GROUP_LOOKS],
        bystanders=unlike,
    )


def _record(at: int, entry: ControlEntry, after: int) -> ControlRecord:
    return ControlRecord(at, entry.entry_id, encode_record(entry), after)


def _put(outputs: Iterable[Output], after: int) -> dict[str, int]:
    """Give the hardest rung that subjects were put on, or kept on, after a minute."""
    hardest: dict[str, int] = {}
    for output in outputs:
        if output.topic == _ACTIONS and output.value is not None:
            action = decode_record(Action, output.value)
            if action.issued_at > after * MS_PER_MINUTE:
                rung = RUNGS.index(action.rung)
                hardest[action.subject] = max(hardest.get(action.subject, 0), rung)
    return hardest


def _standing(outputs: Iterable[Output]) -> dict[str, int]:
    """Give the rung that subjects stand on when all was said."""
    standing: dict[str, int] = {}
    for output in outputs:
        if output.topic == _ACTIONS:
            subject = (output.key or b"").decode()
            if output.value is None:
                standing.pop(subject, None)
            else:
                rung = decode_record(Action, output.value).rung
                standing[subject] = RUNGS.index(rung)
    return standing


def _counts(rungs: Mapping[str, int], accounts: Iterable[str]) -> dict[str, int]:
    """Count the accounts on a rung or above."""
    reached = [rungs.get(f"account:{name}", -1) for name in accounts]
    return {
        "observe": sum(rung >= _OBSERVE for rung in reached),
        "throttle": sum(rung >= _THROTTLE for rung in reached),
        "suspend": sum(rung >= RUNGS.index("suspend") for rung in reached),
    }


def _disputes(outputs: Iterable[Output]) -> Iterable[str]:
    for output in outputs:
        if output.topic == "llm.alerts":
            alert = decode_record(Alert, output.value or b"")
            if alert.kind == "labels_disputed":
                yield alert.summary


def roc_area(high: Sequence[float], low: Sequence[float]) -> float:
    """Give the chance that one of ``high`` is above one of ``low``; ties count half.

    >>> roc_area([3.0, 1.0], [2.0, 1.0])
    0.625
    """
    if not high or not low:
        return 0.5
    above = sum((a > b) + (a == b) / 2 for a in high for b in low)
    return above / (len(high) * len(low))
