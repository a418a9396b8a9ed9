"""A bridge to CrowdSec's bouncers: actions as decisions of its Local API.

`bridge_app` is not imported here, since Starlette is an extra.
"""

from streams.sdk.crowdsec.api_keys import ApiKeys, new_api_key
from streams.sdk.crowdsec.decision import BouncerDecision, DecisionMaker
from streams.sdk.crowdsec.decision_log import DecisionLog

__all__ = [
    "ApiKeys",
    "BouncerDecision",
    "DecisionLog",
    "DecisionMaker",
    "new_api_key",
]
