"""The command `st2garbagecollector`."""

from st2common.service import daemon
from st2reactor.garbage_collector import GarbageCollector

main = daemon("st2garbagecollector", GarbageCollector)

if __name__ == "__main__":
    main()
