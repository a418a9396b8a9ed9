"""``distillwatch enforcer``: the reference enforcer, to try things out."""

from __future__ import annotations

import os
import socket
from typing import Annotated

from cyclopts import App, Parameter, validators

from streams.errors import MissingTool

__all__ = ["app"]

_HOST = "127.0.0.1"
_Port = validators.Number(gt=0, lt=1 << 16)

app = App(name="enforcer", help="Serve the reference enforcer, to try things out.")


@app.default
def enforcer(
    *,
    port: Annotated[int, Parameter(validator=_Port)] = 8085,
    bootstrap: str | None = None,
    account_header: str = "X-Account",
    network_header: str = "X-Network",
    name: str = "",
    snapshot: str | None = None,
) -> None:
    """Answer every request with 200, unless an action stands for its account.

    Parameters
    ----------
    port
        Port on 127.0.0.1.
    bootstrap
        Kafka bootstrap servers, HOST:PORT, comma-separated; by default the setting
        DISTILLWATCH_BOOTSTRAP, or 127.0.0.1:9092.
    account_header
        Request header with the account id.
    network_header
        Request header with the id of the network facet.
    name
        Name in acknowledgements; by default the host's name and the port.
    snapshot
        File that keeps the state, for a start while Kafka is away.
    """
    try:
        import uvicorn
    except ImportError as error:
        raise MissingTool(
            "uvicorn is not installed; run: pip install 'distillwatch[enforcer]'"
        ) from error
    from streams.config import Config
    from streams.sdk import Acknowledger, ActionView
    from streams.sdk.conformance.reference import reference_app

    servers = bootstrap or Config.from_mapping(os.environ).bootstrap
    who = name or f"{socket.gethostname()}:{port}"
    with (
        Acknowledger(servers, enforcer=who) as acknowledger,
        ActionView(servers, acknowledger=acknowledger, snapshot_path=snapshot) as view,
    ):
        print(f"{who} enforces {servers} at http://{_HOST}:{port}/", flush=True)
        uvicorn.run(
            reference_app(
                view,
                account_header=account_header,
                facet_headers={"network": network_header},
            ),
            host=_HOST,
            port=port,
            ws="none",
            log_level="warning",
        )
