"""Conditions of a policy, in CEL, the Common Expression Language (cel.dev).

A condition sees the variables of :data:`VARIABLES` and nothing else: no clock, no
files, no content of a request. It always ends, since CEL has no loops but over lists.
Whole and broken numbers may be compared (``account.e_value > 20``), but not computed
with each other (``account.e_value + 1.0``).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from streams.contracts.time_units import MINUTES_PER_DAY, MINUTES_PER_HOUR
from streams.errors import PolicyError

if TYPE_CHECKING:
    from cel import Program

__all__ = [
    "VARIABLES",
    "Condition",
    "Context",
    "Variable",
    "compile_condition",
    "context_at",
    "did_you_mean",
]

Context: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Values of the variables: group (``account``), then name (``uses``), then value."""

_LONGEST: Final = 1000
"""Characters: far above what anybody reviews, far below what the parser nests."""

_EPOCH_WEEKDAY: Final = 3  # 1 January 1970 was a Thursday


class Variable(NamedTuple):
    """One row of the table of variables; ``type`` is a type of CEL."""

    name: str
    type: str
    unit: str
    help: str


VARIABLES: Final = (
    Variable("account.id", "string", "", "The account, without `account:`."),
    Variable("account.uses", "int", "exchanges", "Its own templated exchanges."),
    Variable("account.e_value", "double", "", "E-value of its own evidence."),
    Variable("account.events", "int", "exchanges", "All its exchanges."),
    Variable("account.templated_share", "double", "0 to 1", "Templated share of them."),
    Variable("account.likeness", "double", "log-odds", "Likeness to extraction."),
    Variable("account.age_days", "double", "days", "Since it was opened; -1: unknown."),
    Variable("account.rung", "string", "", "Rung it stands on; empty: none."),
    Variable("campaign.id", "string", "", "The campaign."),
    Variable("campaign.accounts", "int", "accounts", "Accounts linked to it."),
    Variable("campaign.exchanges", "int", "exchanges", "Templated exchanges of these."),
    Variable("campaign.e_value", "double", "", "E-value of the group."),
    Variable("campaign.confirmations", "int", "looks", "Looks that confirmed it."),
    Variable("campaign.age_hours", "double", "hours", "Since it was found."),
    Variable("campaign.families", "list", "", "Names such as rubric or reasoning."),
    Variable("campaign.pivots", "list", "", "Models that its traffic has moved to."),
    Variable("time.hour", "int", "0 to 23", "Hour of event time, UTC."),
    Variable("time.weekday", "int", "0 to 6", "Day of event time, UTC; 0 is Monday."),
)
"""All that a condition can see, in the order of the documentation."""

_NAMES: Final = frozenset(variable.name for variable in VARIABLES)
_GROUPS: Final = frozenset(name.partition(".")[0] for name in _NAMES)
_FUNCTIONS: Final = frozenset(
    {"size", "contains", "startsWith", "endsWith", "matches"}
    | {"int", "double", "string"}
)
"""Beside the operators and the macros has, all, exists, exists_one, map and filter."""
_RUNTIME_ERRORS: Final = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
)
"""What ``cel`` raises for an operation that is not defined for its values."""

_TOKEN: Final = re.compile(
    r"""
    //[^\n]*
    | [bB]?[rR][bB]?(?:"[^"\n]*"|'[^'\n]*')
    | [bB]?(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
    | (?P<path>[A-Za-z_]\w*(?:\s*\.\s*[A-Za-z_]\w*)*)
    """,
    re.VERBOSE | re.DOTALL,
)
_BOUND: Final = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(\s*(\w+)")


class Condition:
    """A checked condition; `compile_condition` makes it."""

    __slots__ = ("_program", "_reads", "text")

    def __init__(
        self, text: str, program: Program | None, reads: Iterable[str] = ()
    ) -> None:
        self.text = text
        self._program = program
        pairs = [name.split(".") for name in sorted(reads)]
        self._reads = {
            group: [name for of, name in pairs if of == group] for group, _ in pairs
        }

    def __repr__(self) -> str:
        return f"Condition({self.text!r})"

    @property
    def always(self) -> bool:
        """Whether it holds whatever the context, so that none need be made."""
        return self._program is None

    def holds(self, context: Context) -> bool:
        """Tell whether it holds.

        Raises `PolicyError` when it cannot be told, for example after a division by
        zero: the caller takes it for "does not hold", and tells a person once.
        """
        if self._program is None:
            return True
        # Each value is converted for CEL: those that it does not read cost most.
        read = {
            group: {name: context[group][name] for name in names}
            for group, names in self._reads.items()
        }
        try:
            result = self._program.execute(read)
        except _RUNTIME_ERRORS as error:
            raise PolicyError(
                f"condition {self.text!r} cannot be told: {_first_line(error)}"
            ) from error
        if not isinstance(result, bool):
            raise PolicyError(
                f"condition {self.text!r} gives {_kind(result)}, not true or false; "
                "compare it with something"
            )
        return result


@cache
def compile_condition(text: str) -> Condition:
    """Compile and check a condition; empty and ``true`` always hold.

    Raises `PolicyError` when it does not compile, names what is not in `VARIABLES`,
    or does not give true or false on the samples.

    >>> young = compile_condition("account.age_days < 90 && campaign.accounts >= 50")
    >>> young.holds(_SAMPLES[1])
    True
    >>> compile_condition("account.usage > 3")
    Traceback (most recent call last):
    streams.errors.PolicyError: condition 'account.usage > 3': there is no variable
    account.usage; did you mean account.uses?
    """
    text = text.strip()
    if text in ("", "true"):
        return Condition("true", None)
    if len(text) > _LONGEST:
        raise PolicyError(
            f"condition {text[:40]!r}… has {len(text):,} characters, more than "
            f"{_LONGEST:,}; split it over several scenarios"
        )
    # A library with a command line: loading it takes a while, and most policies have
    # no conditions.
    import cel  # noqa: PLC0415 - see above

    try:
        program = cel.compile(text)
    except ValueError as error:
        raise PolicyError(
            f"condition {text!r} is no CEL: {_syntax_error(error)}"
        ) from error
    condition = Condition(text, program, _checked_names(text, program))
    for sample in _SAMPLES:
        condition.holds(sample)
    return condition


def context_at(
    minute: int, account: Mapping[str, Any], campaign: Mapping[str, Any]
) -> Context:
    """Make the context of a decision in ``minute`` (since the epoch, UTC).

    ``account`` and ``campaign`` hold exactly the variables of their group; numbers take
    the type of the table, since CEL computes with equal types only.

    >>> sample = _SAMPLES[0]
    >>> context_at(1440 + 61, sample["account"], sample["campaign"])["time"]
    {'hour': 1, 'weekday': 4}
    """
    time = {
        "hour": minute % MINUTES_PER_DAY // MINUTES_PER_HOUR,
        "weekday": (minute // MINUTES_PER_DAY + _EPOCH_WEEKDAY) % 7,
    }
    return {
        "account": {name: make(account[name]) for name, make in _MAKERS["account"]},
        "campaign": {name: make(campaign[name]) for name, make in _MAKERS["campaign"]},
        "time": time,
    }


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Suggest the nearest of some words, or list them when none is near.

    >>> did_you_mean("thrttle", ["observe", "throttle"])
    'did you mean throttle?'
    >>> did_you_mean("x", ["observe", "throttle"])
    'known: observe, throttle'
    """
    known = list(known)
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"


_TYPES: Final[Mapping[str, Any]] = {
    "string": str,
    "int": int,
    "double": float,
    "list": list,
}
_MAKERS: Final[Mapping[str, tuple[tuple[str, Any], ...]]] = {
    group: tuple(
        (variable.name.partition(".")[2], _TYPES[variable.type])
        for variable in VARIABLES
        if variable.name.startswith(f"{group}.")
    )
    for group in ("account", "campaign")
}


def _sample(
    minute: int, words: Mapping[str, str], number: int, items: list[str]
) -> Context:
    kinds = {"string": "a", "int": number, "double": number, "list": items}
    values = {
        variable.name: words.get(variable.name, kinds[variable.type])
        for variable in VARIABLES
    }
    parts = {
        group: {name: values[f"{group}.{name}"] for name, _ in makers}
        for group, makers in _MAKERS.items()
    }
    return context_at(minute, parts["account"], parts["campaign"])


_SAMPLES: Final = (
    _sample(0, {"account.rung": ""}, 1, []),
    _sample(600, {"account.rung": "observe"}, 60, ["rubric", "reasoning"]),
    _sample(8000, {"account.rung": "suspend"}, 1_000_000, ["a"]),
    _sample(3000, {"account.rung": "throttle"}, -1, ["tools"]),
)


def _checked_names(text: str, program: Program) -> set[str]:
    """Give the variables that a condition reads, all of which there are."""
    reads = set()
    for token in _TOKEN.finditer(text):
        path = re.sub(r"\s", "", token["path"] or "")
        group, *rest = path.split(".")
        if group not in _GROUPS:
            continue
        if not rest:
            raise PolicyError(
                f"condition {text!r}: {group} is a group of variables; name one of it: "
                f"{', '.join(v.name for v in VARIABLES if v.name.startswith(group))}"
            )
        name = f"{group}.{rest[0]}"
        if name not in _NAMES:
            raise PolicyError(
                f"condition {text!r}: there is no variable {name}; "
                f"{did_you_mean(name, sorted(_NAMES))}"
            )
        reads.add(name)
    bound = set(_BOUND.findall(text))
    for name in program.variables():
        if name not in _GROUPS and name not in bound:
            meant = sorted(each for each in _NAMES if each.endswith(f".{name}"))
            hint = f"did you mean {' or '.join(meant)}?" if meant else ""
            raise PolicyError(
                f"condition {text!r}: there is no variable {name}; "
                f"{hint or did_you_mean(name, sorted(_NAMES))}"
            )
    for name in program.functions():
        if name[0].isalpha() and name not in _FUNCTIONS:
            raise PolicyError(
                f"condition {text!r}: there is no function {name}; "
                f"{did_you_mean(name, sorted(_FUNCTIONS))}"
            )
    return reads


def _kind(value: object) -> str:
    names = {int: "a whole number", float: "a number", str: "text", list: "a list"}
    return names.get(type(value), "nothing that can be told")


def _first_line(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"there is no {error}"
    return str(error).splitlines()[0].partition(". ")[0].rstrip(".")


def _syntax_error(error: ValueError) -> str:
    """Keep the place and the reason of ``ERROR: <input>:1:15: Syntax error: …``."""
    found = re.search(r"<input>:\d+:(\d+): (.*)", str(error))
    if found is None:
        return "it does not parse"
    reason = found[2].removeprefix("Syntax error: ").partition(", expecting")[0]
    return f"character {found[1]}: {reason.partition(' expecting')[0]}"
