"""The command `st2timersengine`."""

from st2common.service import daemon
from st2reactor.timers.service import TimersEngine

main = daemon("st2timersengine", TimersEngine)

if __name__ == "__main__":
    main()
