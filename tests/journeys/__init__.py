"""Journeys: what people do, from end to end, with real parts only."""
