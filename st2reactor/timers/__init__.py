"""Timers: triggers that fire by the clock (reactor.md 4)."""
