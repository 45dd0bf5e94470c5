"""Killing every kind of process under load, and counting what came of it."""
