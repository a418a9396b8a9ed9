from __future__ import annotations

import json
import subprocess
import sys

_PROGRAM = """
import json, sys
from streams.agents.warm_up import _as_read, warm_up
from streams.cli.benchmarks.synthetic import SyntheticEvents
from streams.engine.replay import Pipeline
import numpy as np

def signatures():
    found = {
        f"{name}.{key}": getattr(loop, "compiled", loop)
        for name, module in [*sys.modules.items()]
        if name.startswith("streams.") and name.endswith("_loops")
        for key, loop in vars(module).items()
        if key.endswith("_loop")
    }
    return {key: len(getattr(loop, "signatures", ())) for key, loop in found.items()}

warm_up()
warm = signatures()
pipeline = Pipeline()
numbers = np.arange(3000)
pipeline.feed(SyntheticEvents(own_facets=True).values(numbers % 700, numbers // 900))
pipeline.flush()
restored = Pipeline()
for topic in ("llm.requests", "llm.links"):
    rows = pipeline.stages[topic][0].dirty_rows()
    restored.stages[topic][0].restore(_as_read(rows))
    restored.stages[topic][0].restored()
pipeline.close()
print(json.dumps([warm, signatures()]))
"""


def test_nothing_is_left_to_compile_when_events_or_rows_come() -> None:
    done = subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-c", _PROGRAM], capture_output=True, check=True
    )
    warm, used = json.loads(done.stdout)
    assert any(count for count in warm.values())
    assert used == warm
    of_graph = [name for name in warm if name.startswith("streams.campaigns.")]
    assert of_graph
    assert all(warm[name] for name in of_graph)
