"""Ask an enforcer over HTTP, as some account."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from streams.errors import ConfigError

__all__ = ["Answer", "HttpProbe"]

_TIMEOUT = 5.0  # s until an answer counts as none


class Answer(NamedTuple):
    """What came back; header names in lower case. Status 0: no answer."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def served(self) -> bool:
        """Whether the request was let through to the application."""
        return 200 <= self.status < 400

    @property
    def refused(self) -> bool:
        """Whether the account was turned away."""
        return self.status in (401, 403)


class HttpProbe:
    """Send GET requests that carry an account id, and perhaps a facet, in headers."""

    def __init__(self, url: str, *, account_header: str, facet_header: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"{url} is no URL such as http://127.0.0.1:8080/")
        self._connection = (
            http.client.HTTPSConnection
            if parts.scheme == "https"
            else http.client.HTTPConnection
        )
        self._host = parts.hostname
        self._port = parts.port
        self._target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        self._account_header = account_header
        self._facet_header = facet_header

    def ask(self, account: str, facet: str | None = None) -> Answer:
        """Make one request on a connection of its own."""
        headers = {self._account_header: account}
        if facet is not None:
            headers[self._facet_header] = facet
        connection = self._connection(self._host, self._port, timeout=_TIMEOUT)
        try:
            connection.request("GET", self._target, headers=headers)
            answer = connection.getresponse()
            body = answer.read().decode(errors="replace")
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, names, body)
        except (OSError, http.client.HTTPException) as error:
            return Answer(0, {}, type(error).__name__)
        finally:
            connection.close()
