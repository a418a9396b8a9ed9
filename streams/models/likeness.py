"""Extraction-likeness: River's logistic regression over a frozen prior.

The prior's weights were fitted once, on simulated populations (`distillwatch reference
build`), and are shipped with the product; scoring never learns, so live traffic cannot
poison it. Content does not separate distillation from evaluation (see the README's
design notes): likeness opens the local gate and explains, and it is one capped voice
among several in the evidence.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from streams.contracts.time_units import MINUTES_PER_DAY
from streams.features.account_row import MARKER_COUNT

__all__ = ["Likeness", "account_features", "plain_rows"]

_UNKNOWN_AGE_DAYS: Final = 30.0
"""Age assumed where the gateway does not send account_created_at: neither young nor
old."""
_MARKER_NAMES: Final = tuple(f"marker_{bit}" for bit in range(MARKER_COUNT))
_DECIMALS: Final = 6
"""Scores are rounded so that they print and compare the same everywhere."""


class Likeness:
    """A River `LogisticRegression` that starts from given weights.

    >>> model = Likeness({"templated": 2.0}, intercept=-1.0)
    >>> model.log_odds({"templated": 1.0, "unknown": 3.0})
    1.0
    """

    def __init__(
        self, weights: Mapping[str, float], intercept: float, rate: float = 0.01
    ) -> None:
        self._start = dict(weights)
        self._intercept = intercept
        self._rate = rate
        self._model: Any = None  # River's, once something is learned
        self._frozen: tuple[dict[str, float], float] | None = None

    @property
    def weights(self) -> dict[str, float]:
        """The present weights by feature."""
        return dict(self._start if self._model is None else self._model.weights)

    @property
    def intercept(self) -> float:
        """The present intercept."""
        model = self._model
        return float(self._intercept if model is None else model.intercept)

    def set_weights(self, weights: Mapping[str, float]) -> None:
        """Replace the weights that are named."""
        if self._model is None:
            self._start.update(weights)
        else:
            # River has no public way to start from given weights.
            self._model._weights.update(weights)  # noqa: SLF001 - see above
        self._frozen = None

    @property
    def model(self) -> Any:
        """River's model, which is made when somebody asks."""
        if self._model is None:
            # Loading it takes most of a second, and a worker that starts only scores.
            from river import linear_model, optim  # noqa: PLC0415 - see above

            self._model = linear_model.LogisticRegression(
                optimizer=optim.SGD(self._rate),
                intercept_init=self._intercept,
                l2=1e-4,
            )
            self.set_weights(self._start)
        return self._model

    def learn(self, features: Mapping[str, float], *, distillation: bool) -> None:
        """Learn one labelled example; only builders and labels from people do this."""
        self.model.learn_one(dict(features), distillation)
        self._frozen = None

    def log_odds(self, features: Mapping[str, float]) -> float:
        """Score; positive means closer to distillation than to ordinary use."""
        if self._frozen is None:
            self._frozen = self.weights, self.intercept
        weights, intercept = self._frozen
        # River adds the products up in the order of a randomised hash map; fsum
        # rounds once, so the score is the same in every process.
        terms = [weights.get(name, 0.0) * value for name, value in features.items()]
        return round(math.fsum([*terms, intercept]), _DECIMALS)


def account_features(row: np.void | Mapping[str, Any]) -> dict[str, float]:
    """Describe an account by shares and logarithms, from its row of integers.

    All values lie between 0 and about 2, so that no feature drowns the others.
    """
    events = max(int(row["events"]), 1)
    tokens_in, tokens_out = int(row["tokens_in"]), int(row["tokens_out"])
    models = np.asarray(row["models"], float)
    hours = max((int(row["last_minute"]) - int(row["first_minute"])) / 60.0, 1.0)
    features = {
        "templated": int(row["templated"]) / events,
        "input_length": math.log10(1 + tokens_in / events) / 4,
        "output_length": math.log10(1 + tokens_out / events) / 4,
        "reasoning": int(row["tokens_reasoning"]) / max(tokens_out, 1),
        "model_concentration": float(((models / models.sum()) ** 2).sum()),
        "hours_of_day": int(row["hours_of_day"]).bit_count() / 24,
        "activity": min(int(row["active_hours"]) / hours, 1.0),
        "peak_minute": int(row["minute_peak"]) / events,
        "peak_hour": int(row["hour_peak"]) / events,
        "young": math.exp(-age_days(row) / 7),
    }
    markers = (np.asarray(row["markers"], float) / events).tolist()
    shares = zip(_MARKER_NAMES, markers, strict=True)
    return features | {name: share for name, share in shares if share}


def plain_rows(rows: npt.NDArray[np.void]) -> Iterator[dict[str, Any]]:
    """Give what `account_features` reads of each row as Python's own values.

    A field of a single row takes ten times as long as one of many.
    """
    columns = [rows[name].tolist() for name in _READ]
    for values in zip(*columns, strict=True):
        yield dict(zip(_READ, values, strict=True))


_READ: Final = (
    *("events", "tokens_in", "tokens_out", "tokens_reasoning", "models"),
    *("last_minute", "first_minute", "templated", "hours_of_day", "active_hours"),
    *("minute_peak", "hour_peak", "created_minute", "markers"),
)


def age_days(row: np.void | Mapping[str, Any]) -> float:
    """Age of the account at its first event, days."""
    created = int(row["created_minute"])
    if created < 0:
        return _UNKNOWN_AGE_DAYS
    return max(int(row["first_minute"]) - created, 0) / MINUTES_PER_DAY
