"""Every peer judges every account."""

from __future__ import annotations

from streams.scenarios.detection.account_peers import PeerFigures
from streams.scenarios.detection.run import Run, Simulated


def test_peers_judge_each_account(
    peers: tuple[PeerFigures, ...], done: Run, made: Simulated
) -> None:
    assert len({peer.name for peer in peers}) == len(peers) == 7
    active = {made.world.traffic.accounts[row].campaign for row in made.events.active()}
    for peer in peers:
        assert set(peer.campaigns) == active - {""}
        assert peer.campaigns["loud"].trials == done.planned["loud"]
