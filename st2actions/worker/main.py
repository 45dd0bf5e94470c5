"""The command `st2actionrunner`."""

from st2actions.worker import Worker
from st2common.service import daemon

main = daemon("st2actionrunner", Worker)

if __name__ == "__main__":
    main()
