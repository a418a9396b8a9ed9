"""``distillwatch bridge``: hand actions to enforcers that speak another protocol."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cyclopts import App

from streams.errors import ConfigError, MissingTool

if TYPE_CHECKING:
    from streams.contracts import Action

__all__ = ["app"]

_LISTEN = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([^:\s]+)):(\d{1,5})")
_UNFELT = ("observe", "label")
_GRACE = 5  # s that pulls under way have to end

app = App(name="bridge", help="Hand actions to enforcers of other makers.")


@app.command
def crowdsec(
    *,
    api_key_file: Path,
    listen: str = "127.0.0.1:8080",
    bootstrap: str | None = None,
    type: tuple[str, ...] = (),  # noqa: A002  the option is named --type
    omit: tuple[str, ...] = _UNFELT,
    snapshot: Path | None = None,
) -> None:
    """Serve llm.actions as decisions to CrowdSec's bouncers, until told to stop.

    It speaks the part of CrowdSec's Local API that bouncers use. A decision is an
    action to be enforced: never one in shadow, nor one that waits for a person.

    Parameters
    ----------
    api_key_file
        File with a line NAME:KEY for each bouncer; `distillwatch bridge key` makes one.
    listen
        HOST:PORT to listen on. Keys and account ids travel in the clear: elsewhere than
        on 127.0.0.1, put a proxy with TLS in front.
    bootstrap
        Kafka bootstrap servers, HOST:PORT, comma-separated; by default the setting
        DISTILLWATCH_BOOTSTRAP, or 127.0.0.1:9092.
    type
        RUNG=TYPE, the type that decisions on a rung have; can be repeated. By default
        challenge is captcha, suspend is ban, others have their own name.
    omit
        A rung whose actions bouncers do not see; can be repeated. By default observe
        and label, which no customer is to feel: bouncers may take a type that they do
        not know for a ban. A rung with a --type is never left out.
    snapshot
        File that keeps the state, for a start while Kafka is away, and so that a
        restart knows what was lifted meanwhile.
    """
    try:
        import uvicorn

        from streams.sdk.crowdsec.bridge_app import bridge_app
    except ImportError as error:
        raise MissingTool(
            f"{error.name} is not installed; run: pip install 'distillwatch[bridges]'"
        ) from error
    from streams.config import Config
    from streams.sdk import ActionView
    from streams.sdk.crowdsec import ApiKeys, DecisionLog, DecisionMaker

    address = _address(listen)
    keys = ApiKeys.from_file(api_key_file)
    types = _types(type)
    unseen = [rung for rung in omit if rung not in types]
    log = DecisionLog(DecisionMaker(types, omit=unseen))
    servers = bootstrap or Config.from_mapping(os.environ).bootstrap

    def take(action: Action, in_force: bool) -> None:
        log.take(action, in_force, int(time.time() * 1000))

    with ActionView(servers, on_change=take, snapshot_path=snapshot) as view:
        print(f"crowdsec bridge of {servers} at http://{listen}/", flush=True)
        uvicorn.run(
            bridge_app(view, log, keys),
            host=address.host,
            port=address.port,
            ws="none",
            log_level="warning",
            timeout_graceful_shutdown=_GRACE,
        )


@app.command
def key(name: str) -> None:
    """Make a key for a bouncer and print its line NAME:KEY for the file of keys.

    Parameters
    ----------
    name
        Name of the bouncer; give each its own.
    """
    from streams.sdk.crowdsec.api_keys import api_key_line

    print(api_key_line(name))


class _Address(NamedTuple):
    host: str
    port: int


def _address(listen: str) -> _Address:
    found = _LISTEN.fullmatch(listen)
    port = int(found[3]) if found else 0
    if found is None or not 0 < port < 1 << 16:
        raise ConfigError(f"--listen {listen} is not HOST:PORT, as 127.0.0.1:8080")
    return _Address(found[1] or found[2], port)


def _types(given: tuple[str, ...]) -> dict[str, str]:
    types = {}
    for each in given:
        rung, equals, kind = each.partition("=")
        if not (rung and equals and kind):
            raise ConfigError(f"--type {each} is not RUNG=TYPE, as suspend=ban")
        types[rung] = kind
    return types
