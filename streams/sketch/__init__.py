"""Prompt to sketch: the only form in which content enters distillwatch.

Gateways call `Sketcher`; the engine reads whole columns (`streams.sketch.columns`).
"""

from __future__ import annotations

from streams.sketch.layout import RATIOS, SKETCH_BYTES, SKETCH_VERSION
from streams.sketch.markers import MARKERS
from streams.sketch.record import Sketch
from streams.sketch.sketcher import Sketcher

__all__ = [
    "MARKERS",
    "RATIOS",
    "SKETCH_BYTES",
    "SKETCH_VERSION",
    "Sketch",
    "Sketcher",
]
