"""What accounts share or do not share: networks, client builds, payment tokens, ids.

Every id is a keyed hash, so nothing of a cohort or campaign can be read from it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from streams.scenarios.chance import digest

__all__ = ["BROWSERS", "SDKS", "Build", "Ids", "draw_build", "own_build"]


class Build(NamedTuple):
    """A client build and the TLS fingerprint (JA4) of its network library."""

    client: str
    tls_ja4: str
    popularity: float


def _ja4(name: str, start: str) -> str:
    mark = digest(12, "ja4", name).hex()
    return f"{start}_{mark[:12]}_{mark[12:]}"


def _builds(rows: tuple[tuple[str, str, str, float], ...]) -> tuple[Build, ...]:
    return tuple(Build(c, _ja4(tls, start), p) for c, tls, start, p in rows)


BROWSERS = _builds(
    (
        ("web/chrome-win", "chrome", "t13d1516h2", 30),
        ("web/chrome-mac", "chrome", "t13d1516h2", 12),
        ("web/chrome-android", "chrome-mobile", "t13d1517h2", 18),
        ("web/edge-win", "chrome", "t13d1516h2", 9),
        ("web/safari-mac", "safari", "t13d2014h2", 7),
        ("web/safari-ios", "safari-ios", "t13d2014h2", 14),
        ("web/firefox-win", "firefox", "t13d1715h2", 4),
        ("web/firefox-linux", "firefox", "t13d1715h2", 2),
        ("app/ios-3.2", "ios-app", "t13d2613h2", 5),
        ("app/android-3.2", "okhttp", "t13d1312h2", 5),
    )
)
SDKS = _builds(
    (
        ("python/1.54", "httpx", "t13d1713h1", 26),
        ("python/1.51", "httpx", "t13d1713h1", 15),
        ("python/1.40", "httpx-old", "t13d1812h1", 9),
        ("node/4.71", "undici", "t13d5212h1", 18),
        ("node/4.60", "undici", "t13d5212h1", 7),
        ("langchain/0.3", "httpx", "t13d1713h1", 9),
        ("litellm/1.55", "aiohttp", "t13d3011h1", 7),
        ("go/0.1.2", "go-tls", "t13d1311h2", 5),
        ("java/0.9", "jdk", "t13d4912h2", 4),
        ("dotnet/2.1", "schannel", "t13d1914h2", 3),
        ("rust/0.27", "rustls", "t13d1010h2", 2),
        ("curl/8.5", "openssl", "t13d3112h2", 3),
    )
)


def draw_build(rng: np.random.Generator, builds: tuple[Build, ...]) -> Build:
    """Draw a build by its popularity."""
    weight = np.array([build.popularity for build in builds])
    return builds[int(rng.choice(len(builds), p=weight / weight.sum()))]


def own_build(rng: np.random.Generator, label: str) -> Build:
    """Make a build that only one app or team uses; its TLS library is a common one."""
    return Build(f"app/{label}", draw_build(rng, SDKS).tls_ja4, 0.0)


class Ids:
    """Opaque ids: a keyed hash of the seed, the kind and a name.

    >>> Ids(1).make("account", 7, size=6)
    'ce3d1aaf17b2'
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def make(self, kind: str, *name: object, size: int = 12) -> str:
        """Id of ``size`` bytes, in hex."""
        return digest(size, "id", self._seed, kind, *name).hex()
