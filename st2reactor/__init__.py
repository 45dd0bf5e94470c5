"""Sensors, timers and the rules engine: where events come in and are decided."""
