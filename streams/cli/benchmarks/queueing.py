r"""A queueing model of the pipeline, from one worker to a million events a second.

An open network of stations (Lazowska et al., Quantitative System Performance, 1984,
chapters 5 and 6). An event brings station :math:`k` a demand :math:`D_k`, in seconds of
processor time; the station has :math:`m_k` servers. With :math:`\lambda` events a
second:

* utilisation :math:`\rho_k = \lambda D_k / m_k`; capacity
  :math:`X = \min_k m_k / D_k`: the station where the minimum lies is the bottleneck;
* residence :math:`R_k = D_k / (1 - \rho_k^{m_k})`, exact for one server and close for
  many (the usual approximation of M/M/m), summed over the stations;
* a worker that processes a backlog also stands still, while it waits for the broker;
  that time per event is added to the demand of *workers* when capacity is asked for;
* each of the three stages waits for a flush: the first for half an interval in the
  mean, the later ones for a whole one, as what they get was sent by a flush.

Stations: *workers* (accounts and facets stages and the transport; as many servers as
workers, but no more than partitions), *campaigns* (one partition, so one server, inside
one of the workers), *broker* (its cores), *hottest partition* (one server, which gets
the largest account's share), and *machine* where all of them share one (its cores).
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

__all__ = ["Demands", "Deployment", "Prediction", "plan", "predict"]

_PLANNED: Final = 0.7
"""Utilisation that a plan allows: at 0.7 a queue triples the time at a station."""
_WAITS: Final = 2.5
"""Flush intervals that an action waits for in the mean: 1/2 + 1 + 1."""
_PARTITIONS_PER_WORKER: Final = 4
"""So that workers differ by a quarter of their load at most."""


class Demands(NamedTuple):
    """Seconds per event of each part, and the hottest partition's share of the events.

    All are processor time but ``waiting``, in which a worker stands still.
    """

    accounts: float
    facets: float
    campaigns: float
    broker: float
    hottest_share: float
    waiting: float = 0.0

    @property
    def worker(self) -> float:
        """What all stages together take of the processor."""
        return self.accounts + self.facets + self.campaigns


class Deployment(NamedTuple):
    """What there is; ``cores`` are shared by all if there is one machine, else 0."""

    workers: int
    partitions: int
    broker_cores: float
    cores: float
    flush_interval: float


class Prediction(NamedTuple):
    """What the model says; ``latency`` is the mean in seconds, infinite in overload."""

    capacity: float
    bottleneck: str
    latency: float


def _stations(d: Demands, at: Deployment) -> dict[str, tuple[float, float]]:
    """Give the demand and the servers of each station."""
    stations = {
        "workers": (d.worker + d.waiting, float(min(at.workers, at.partitions))),
        "campaigns stage": (d.campaigns, 1.0),
        "hottest partition": (d.accounts * d.hottest_share, 1.0),
        "broker": (d.broker, at.broker_cores),
    }
    if at.cores:
        stations["machine"] = (d.worker + d.broker, at.cores)
    return stations


def predict(d: Demands, at: Deployment, rate: float = 0.0) -> Prediction:
    """Predict the capacity in events per second, and the latency at ``rate``.

    >>> demands = Demands(10e-6, 1e-6, 1e-6, 2e-6, 0.2)
    >>> found = predict(demands, Deployment(1, 8, 1, 2, 0.5), 40_000)
    >>> round(found.capacity), found.bottleneck, round(found.latency, 3)
    (83333, 'workers', 1.25)
    """
    stations = _stations(d, at)
    name = min(stations, key=lambda k: stations[k][1] / max(stations[k][0], 1e-12))
    demand, servers = stations[name]
    capacity = servers / demand
    latency = _WAITS * at.flush_interval
    for demand, servers in stations.values():
        busy = rate * demand / servers
        latency += demand / (1 - busy**servers) if busy < 1 else math.inf
    return Prediction(capacity, name, latency)


def plan(d: Demands, rate: float, flush_interval: float) -> dict[str, object]:
    """Say what ``rate`` events a second need, and what gives way first.

    Workers, partitions and broker cores can be added; the campaigns stage and the
    hottest partition cannot, so they are the bottleneck once their utilisation passes
    that of a plan.

    >>> plan(Demands(10e-6, 1e-6, 1e-6, 2e-6, 0.01), 1e6, 0.5)["first_bottleneck"]
    'campaigns stage'
    """
    workers = max(1, math.ceil(rate * d.worker / _PLANNED))
    partitions = max(8, workers * _PARTITIONS_PER_WORKER)
    broker_cores = max(1, math.ceil(rate * d.broker / _PLANNED))
    # More partitions cannot split an account: its share of the events stays.
    fixed = {
        "campaigns stage": rate * d.campaigns,
        "hottest partition": rate * d.accounts * d.hottest_share,
    }
    name = max(fixed, key=lambda k: fixed[k])
    at = Deployment(workers, partitions, broker_cores, 0, flush_interval)
    latency = predict(d, at, rate).latency
    return {
        "events_per_second": rate,
        "workers": workers,
        "partitions": partitions,
        "broker_cores": broker_cores,
        "campaigns_utilisation": round(fixed["campaigns stage"], 3),
        "hottest_partition_utilisation": round(fixed["hottest partition"], 3),
        "latency_s": None if math.isinf(latency) else round(latency, 2),
        "first_bottleneck": name if fixed[name] > _PLANNED else "none: add workers",
    }
