"""The garbage collector service: removes what is older than its time to live."""

from st2reactor.garbage_collector.service import GarbageCollector

__all__ = ["GarbageCollector"]
