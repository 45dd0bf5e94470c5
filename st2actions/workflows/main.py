"""The command `st2workflowengine`."""

from st2actions.workflows import WorkflowEngine
from st2common.service import daemon

main = daemon("st2workflowengine", WorkflowEngine)

if __name__ == "__main__":
    main()
