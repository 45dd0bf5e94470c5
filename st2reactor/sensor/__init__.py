"""Sensors: base classes for packs, the process of one sensor, the container of all of a node."""
