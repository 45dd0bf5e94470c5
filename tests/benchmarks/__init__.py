"""Measurements: ``python -m tests.benchmarks``."""
