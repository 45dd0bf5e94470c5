"""The command `st2notifier`."""

from st2actions.notifier import Notifier
from st2common.service import daemon

main = daemon("st2notifier", Notifier)

if __name__ == "__main__":
    main()
