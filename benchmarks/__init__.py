"""Measurements: one command each, with their results in README.md beside them."""
