"""The documents: ONE model per resource, with its indexes; its API form and JSON schema derive from it.

No queries and no effects live here: ``st2common.store`` reads and writes.
"""

from st2common.models.access import ApiKey, Role, RoleAssignment, Token, User
from st2common.models.base import PackResource, Resource
from st2common.models.content import (
    Action,
    ActionAlias,
    ConfigSchema,
    Pack,
    PackConfig,
    Policy,
    PolicyType,
    Rule,
    RuleType,
    RunnerType,
    SensorType,
    Trigger,
    TriggerType,
)
from st2common.models.coordination import Lease, Revision
from st2common.models.datastore import KeyValuePair
from st2common.models.events import RuleEnforcement, TriggerInstance
from st2common.models.execution import Execution, ExecutionOutput, Snapshot
from st2common.models.workflow import WorkflowExecution, WorkflowPart

ALL_MODELS = (
    Pack, ConfigSchema, PackConfig, RunnerType, Action, ActionAlias, SensorType, Policy, PolicyType, Rule, RuleType, TriggerType, Trigger,
    TriggerInstance, RuleEnforcement, Execution, ExecutionOutput, Snapshot, KeyValuePair, User, Token, ApiKey, Role, RoleAssignment,
    Lease, Revision, WorkflowExecution, WorkflowPart,
)  # fmt: skip
"""Every document, for index creation."""

__all__ = [
    "ALL_MODELS", "Action", "ActionAlias", "ApiKey", "ConfigSchema", "Execution", "ExecutionOutput", "KeyValuePair", "Lease", "Pack",
    "PackConfig", "PackResource", "Policy", "PolicyType", "Resource", "Revision", "Role", "RoleAssignment", "Rule", "RuleEnforcement",
    "RuleType", "RunnerType", "SensorType", "Snapshot", "Token", "Trigger", "TriggerInstance", "TriggerType", "User", "WorkflowExecution",
    "WorkflowPart",
]  # fmt: skip
