"""The command `st2rulesengine`."""

from st2common.service import daemon
from st2reactor.rules import RulesEngine

main = daemon("st2rulesengine", RulesEngine)

if __name__ == "__main__":
    main()
