"""The command `st2scheduler`."""

from st2actions.scheduler import Scheduler
from st2common.service import daemon

main = daemon("st2scheduler", Scheduler)

if __name__ == "__main__":
    main()
