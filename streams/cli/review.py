"""``distillwatch review``: decide on the actions that wait for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import App, Parameter

from streams.cli.control_writes import (
    DEFAULT_CLUSTER,
    DEFAULT_WRITING,
    Cluster,
    Writing,
    command,
    now_ms,
    standing_entries,
    write_entries,
)
from streams.errors import InvalidRecord

if TYPE_CHECKING:
    from streams.contracts import Action, ControlEntry
    from streams.policy.control_entries import Review

__all__ = ["app"]

_FEATURES_SHOWN: Final = 3
_MEANING: Final = {
    "approve": "the {rung} of {subject} takes effect{shadow}. Undo: {release}",
    "deny": "the {rung} of {subject} does not happen, what stands is lifted, and only "
    "new evidence counts. There is no undo",
}

app = App(name="review", help="Decide on the actions that wait for a person.")


@app.command(name="list")
def list_(
    *,
    json: Annotated[bool, Parameter(negative=())] = False,
    cluster: Cluster = DEFAULT_CLUSTER,
) -> None:
    """List what waits for a person: who, why, on what evidence.

    Parameters
    ----------
    json
        Print JSON, one object per action with all its fields, instead of a table.
    """
    from streams.cli.listings import print_json, print_rows
    from streams.contracts import to_dict

    reviews = _reviews(cluster.servers)
    waiting = [
        action
        for action in _in_review(cluster.servers)
        if f"review:{action.action_id}" not in reviews
    ]
    if json:
        print_json([to_dict(action) for action in waiting])
    elif not waiting:
        print("Nothing waits for a person")
    else:
        headings = ("subject", "rung", "issued, until", "campaign and reasons")
        rows = [_cells(action) for action in waiting]
        print_rows((*headings, "evidence", "action"), rows)


@app.command
def approve(target: str, *, why: str, how: Writing = DEFAULT_WRITING) -> None:
    """Let an action take effect.

    Parameters
    ----------
    target
        The action's id, or its subject.
    why
        The reason, for who reads it later.
    """
    _decide(target, "approve", why, how)


@app.command
def deny(target: str, *, why: str, how: Writing = DEFAULT_WRITING) -> None:
    """Keep an action from taking effect.

    Parameters
    ----------
    target
        The action's id, or its subject.
    why
        The reason, for who reads it later.
    """
    _decide(target, "deny", why, how)


def _decide(target: str, review: Review, why: str, how: Writing) -> None:
    from streams.policy.control_entries import review_entry

    found = [
        action
        for action in _in_review(how.servers)
        if target in {action.action_id, action.subject}
    ]
    if not found:
        raise InvalidRecord(
            f"{target} is neither an action that waits for a person nor the subject of "
            "one; see: distillwatch review list"
        )
    (action,) = found
    entry = review_entry(
        action.action_id,
        action.subject,
        review,
        author=how.who,
        reason=why,
        created_at=now_ms(),
    )
    in_shadow = action.mode == "shadow"
    meaning = _MEANING[review].format(
        rung=action.rung,
        subject=action.subject,
        shadow=", as far as shadow mode goes" if in_shadow else "",
        release=command("release", action.subject),
    )
    earlier = _reviews(how.servers).get(entry.entry_id)
    replaced = f" (it replaces {earlier.value} by {earlier.author})" if earlier else ""
    write_entries([entry], f"{review}{replaced}: {meaning}", how=how)


def _in_review(servers: str) -> list[Action]:
    from streams.bus.published_actions import standing_actions

    standing = standing_actions(servers, now_ms()).values()
    return [action for action in standing if action.human_review]


def _reviews(servers: str) -> dict[str, ControlEntry]:
    entries = standing_entries(servers)
    return {key: each for key, each in entries.items() if each.kind == "review"}


def _cells(action: Action) -> tuple[Any, ...]:
    from streams.cli.record_lines import feature_text, time_text

    evidence = [f"e-value {action.evidence.e_value:.3g}"]
    evidence += [
        feature_text(each.name, each.value, each.benign_quantile)
        for each in action.evidence.features[:_FEATURES_SHOWN]
    ]
    return (
        action.subject,
        f"{action.rung}\n{action.mode}",
        f"{time_text(action.issued_at)}\n{time_text(action.expires_at)}",
        "\n".join((action.campaign_id, *action.reason_codes)),
        "\n".join(evidence),
        action.action_id,
    )
