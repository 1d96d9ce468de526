"""Sample data: seeded, realistic threads in several languages, any number of them, to try the desk and to measure it."""

from __future__ import annotations

from cs_plugin.sample.predefined import write_predefined
from cs_plugin.sample.writing import write_sample

__all__ = ["write_predefined", "write_sample"]
