"""What each detector does, where it comes from, and where it fails."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

__all__ = ["DETECTOR_NOTES", "DetectorNote"]


class DetectorNote(NamedTuple):
    """What a user must know of one detector.

    ``features`` are the beginnings of the names under which actions and decisions show
    what it saw. ``stable``: measured by `distillwatch benchmark detection`, and nothing
    about it is expected to change soon; ``experimental``: not so yet.
    """

    name: str
    status: Literal["stable", "experimental"]
    method: str
    source: str
    fooled_by: str
    false_alarms: str
    features: tuple[str, ...] = ()


DETECTOR_NOTES: Final = (
    DetectorNote(
        "shared template",
        "stable",
        "Keyed hashes of the masked beginning, end and system prompt, and bands of a "
        "MinHash; a key is suspect once several owners fill it in differently.",
        "Broder 1997 (MinHash); purity in place of FRAUDAR's log-degree discount "
        "(Hooi et al., KDD 2016)",
        "Templates drawn anew for each prompt at both ends; a public harness's own "
        "template; campaign traffic far below a tenth of an account's.",
        "An uncatalogued harness, a class with one prompt, a popular public prompt. It "
        "links only, and accuses nobody.",
    ),
    DetectorNote(
        "shared infrastructure",
        "stable",
        "Share of a group's accounts on a payment, network, TLS fingerprint or client "
        "that hardly anyone else uses.",
        "FRAUDAR (Hooi et al., KDD 2016): what is popular counts little",
        "A payment, network and client of its own for every account.",
        "A company without organization ids, a class, a reseller with honest "
        "customers.",
        ("infrastructure",),
    ),
    DetectorNote(
        "groups without templates",
        "experimental",
        "Payments and networks that hardly anyone else uses start groups, and are one "
        "group where two owners have both. Such a group is tested only if it mixes "
        "several payments with several networks, against benign groups that do. A "
        "campaign found so is told in alerts; its accounts are not actioned.",
        "FRAUDAR (Hooi et al., KDD 2016): what is popular counts little",
        "A payment for every account; one payment, or one network, for all.",
        "A company with several payments and several offices, and no organization id.",
    ),
    DetectorNote(
        "timing and age",
        "stable",
        "Overlap of active half hours, evenness of the work, accounts opened in the "
        "same two days or half hour, accounts that begin soon after they were opened.",
        "SynchroTrap (Cao et al., CCS 2014); CopyCatch (Beutel et al., WWW 2013)",
        "Aged accounts, and a pace of its own for every account.",
        "Classes, launches, scheduled jobs of one product.",
        ("timing",),
    ),
    DetectorNote(
        "coverage and common templates",
        "experimental",
        "How few fillings repeat among accounts: a campaign splits a list, users of "
        "one harness ask the same items. And how many templates the accounts have in "
        "common, which strangers hardly do.",
        "Whang et al. 1990 (linear counting of distinct fillings)",
        "Asking every item from several accounts, which pays twice for each answer; "
        "one template only.",
        "Data processing that splits a list over keys without an organization id; one "
        "program with several prompts.",
        ("template",),
    ),
    DetectorNote(
        "joint model",
        "experimental",
        "River's logistic regression over all features of a group, frozen; its score "
        "is ranked among benign groups of its own kind at the same look (conformal "
        "p-value, e-value). Kinds: one payer or one place; several shared payments or "
        "networks; nothing but templates.",
        "Vovk and Wang 2021 (e-values, merging by the mean); Vovk et al. 2005 "
        "(Mondrian conformal prediction)",
        "What fools the three above together; paying with one token, which is compared "
        "with companies.",
        "Groups unlike any of the reference's populations.",
        ("joint",),
    ),
    DetectorNote(
        "move to a new model",
        "experimental",
        "Of found campaigns only, pooled over their templates, minute by minute: has a "
        "model been taken up that the campaign never used (information; a warning "
        "where it is used more than by everybody else so far), and is it surely used "
        "more than by everybody else in the same minutes (critical)? River's ADWIN, "
        "hour by hour, for shifts between models in use, beyond everybody's own.",
        "Shin, Ramdas and Rinaldo 2022 (e-detectors); Bifet and Gavaldà 2007 (ADWIN)",
        "New templates and new accounts for the new model; fewer than three in ten "
        "thousand exchanges.",
        "A campaign that only tries what came out, as everybody does: the first "
        "message says both shares. At most one a week for one that stays just "
        "below what is tolerated.",
    ),
    DetectorNote(
        "own evidence",
        "stable",
        "What ties one account to its group: payment, network, software, further "
        "templates, when it was opened; ranked among bystanders, who use a campaign's "
        "wording, some of them by one program.",
        "Two levels: first the group, then each account",
        "Few templated exchanges per account: it is linked, but hardly climbs.",
        "Ordinary accounts that share a template, and payments or networks, with a "
        "campaign.",
        ("account",),
    ),
    DetectorNote(
        "content likeness",
        "stable",
        "Log-odds of an account's marker shares and metadata, frozen. It opens the "
        "local gate, and counts little in the joint model: content tells evaluation "
        "and distillation hardly apart.",
        "Logistic regression (River)",
        "Ordinary wording.",
        "Bulk work of every kind.",
    ),
    DetectorNote(
        "learning from labels",
        "stable",
        "River's logistic regression of labelled accounts; it only ever lowers an "
        "account's e-value, by a factor of at most 8 for each author.",
        "Weights of at most 1 keep an e-value valid",
        "Dishonest labels; they are capped, compared, and told.",
        "None: it raises nothing.",
        ("label",),
    ),
    DetectorNote(
        "imported indicators",
        "experimental",
        "Facets that another provider shared are watched: groups that match are tested "
        "from a part of the budget kept for them.",
        "STIX 2.1 indicators, keyed",
        "New infrastructure.",
        "None by itself: it is a reason to look.",
        ("indicator",),
    ),
    DetectorNote(
        "window test",
        "experimental",
        "Is a window of prompts like benign ones, or like the same group's past? "
        "Measured by the benchmark only; the pipeline does not use it yet.",
        "Harchaoui et al. 2007 (kernel Fisher test); Schilling 1986 and Henze 1988 "
        "(nearest neighbours)",
        "Prompts like those that the reference, or the group's past, has already.",
        "A new benign job of a group.",
    ),
    DetectorNote(
        "canaries",
        "stable",
        "Allowlisted accounts take every test; two alarms within a day turn everything "
        "to shadow, and tell.",
        "Negative controls",
        "A false alarm that concerns no canary.",
        "A canary that is misused.",
    ),
)
"""In the order in which a request meets them."""
