"""``distillwatch explain``: why a subject is where it is, and what would clear it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cyclopts import App, Parameter

from streams.cli.control_writes import DEFAULT_CLUSTER, Cluster
from streams.errors import ConfigError, NotReproducible

if TYPE_CHECKING:
    from rich.console import RenderableType

    from streams.cli.explain_records import Unknown
    from streams.policy.customer_answer import CustomerAnswer
    from streams.policy.explanation import Explanation

__all__ = ["app"]

_Flag = Annotated[bool, Parameter(negative=())]

_EXIT_DIFFERENT: Final = 1
_EXIT_UNKNOWN: Final = 2
_EXIT_GONE: Final = 3
_PIPE_WIDTH: Final = 100  # columns, where there is no terminal to ask

app = App(
    name="explain",
    help="Say why a subject is where it is, and compute it again from the log.",
)


@app.default
def explain(
    subject: str,
    *,
    json: _Flag = False,
    customer: _Flag = False,
    picture: Path | None = None,
    verify: _Flag = False,
    events: Path | None = None,
    mode: Literal["shadow", "enforce"] | None = None,
    folder: Path | None = None,
    cluster: Cluster = DEFAULT_CLUSTER,
) -> None:
    """Say what was seen, against which baseline, and what would have cleared it.

    Exit code 2 when nothing is known about the subject; with --verify 1 when the log
    gives another result, 3 when it cannot give one any more.

    Parameters
    ----------
    subject
        account:ID, campaign:ID, the id of an action, or an appeal token.
    json
        Print one JSON object, times in milliseconds.
    customer
        Only what the customer may read: reasons in words, until when, how to appeal.
    picture
        Also write the page to this file, as SVG.
    verify
        Compute the decision again from all requests and entries; compare each byte.
    events
        With --verify: take requests from this container, in place of llm.requests.
    mode
        With --verify: the mode that the workers were started in; by default the setting
        DISTILLWATCH_MODE, or shadow.
    folder
        Read what `distillwatch replay` wrote there, in place of a broker.
    """
    from streams.cli.decision_log import open_log
    from streams.cli.explain_records import Unknown, find
    from streams.models.reference import load_reference
    from streams.policy.explain import explain as explain_records

    if verify and folder is not None and events is None:
        raise ConfigError(f"{folder} has no requests: give --events FILE as well")
    servers = cluster.servers
    found = find(subject, open_log(folder, servers))
    if isinstance(found, Unknown):
        _tell_unknown(found)
        sys.exit(_EXIT_UNKNOWN)
    told = explain_records(
        found.subject, found.known, load_reference(), action_id=found.action_id
    )
    if customer:
        from streams.policy.customer_answer import customer_answer

        _show_customer(customer_answer(told), json=json, picture=picture)
    else:
        _show(told, json=json, picture=picture)
    if verify:
        from streams.cli.explain_verify import print_recomputation
        from streams.cli.explain_verify import verify as compute

        try:
            result = compute(found, told, servers=servers, events=events, mode=mode)
        except NotReproducible as error:
            print(f"cannot be re-computed: {error}", file=sys.stderr)
            sys.exit(_EXIT_GONE)
        print_recomputation(result, sys.stderr if json else sys.stdout)
        if result.difference is not None:
            sys.exit(_EXIT_DIFFERENT)


def _show(told: Explanation, *, json: bool, picture: Path | None) -> None:
    from streams.cli.explain_page import explanation_page

    page = explanation_page(told)
    if json:
        _print_json(told)
    else:
        _print_page(page)
    _save(page, f"distillwatch explain {told.subject}", picture)


def _show_customer(answer: CustomerAnswer, *, json: bool, picture: Path | None) -> None:
    from streams.cli.explain_page import customer_page

    page = customer_page(answer)
    if json:
        _print_json(answer)
    else:
        _print_page(page)
    _save(page, "Your account", picture)


def _print_json(told: Explanation | CustomerAnswer) -> None:
    import msgspec

    from streams.cli.listings import print_json

    print_json(msgspec.to_builtins(told))


def _print_page(page: RenderableType) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    if console.is_terminal:
        console.print(page)
        return
    # Rich fills each line up; nobody wants that in a file or a ticket.
    plain = Console(highlight=False, width=_PIPE_WIDTH)
    with plain.capture() as capture:
        plain.print(page)
    print("\n".join(line.rstrip() for line in capture.get().splitlines()))


def _save(page: RenderableType, title: str, picture: Path | None) -> None:
    from streams.cli.explain_page import save_picture

    if picture is not None:
        save_picture(page, title, picture)
        print(f"picture: {picture}", file=sys.stderr)


def _tell_unknown(unknown: Unknown) -> None:
    from streams.cli.record_lines import printable

    print(f"nothing is known about {printable(unknown.query)}", file=sys.stderr)
    if unknown.nearest:
        print("did you mean one of these?", file=sys.stderr)
    for name in unknown.nearest:
        print(f"  {printable(name)}", file=sys.stderr)
