"""The option models: one dataclass per section, one field per option. Sample files and docs are generated from them.

Field metadata: ``help`` is one line of text, with the unit where there is one.
"""

from __future__ import annotations

import getpass
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


def option(default: Any, help: str) -> Any:
    """Declare an option with its default and one line of help (a list default is copied)."""
    metadata = {"help": help}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass
class ActionSensor:
    enable: bool = option(True, "emit core.st2.generic.actiontrigger after executions")
    emit_when: list[str] = option(["succeeded", "failed", "timeout", "canceled", "abandoned"], "statuses that emit it")


@dataclass
class ActionRunner:
    actions_pool_size: int = option(60, "plain actions that one worker process runs at a time")
    workflows_pool_size: int = option(40, "workflow actions that one worker process drives at a time")
    graceful_shutdown: bool = option(True, "let running actions finish on SIGTERM")
    exit_still_active_check: int = option(300, "longest wait for running actions at shutdown, seconds")
    python_binary: str = option("", "interpreter for virtualenvs (empty: the service's own)")
    virtualenv_opts: list[str] = option(["--system-site-packages"], "options of virtualenv creation")
    pip_opts: list[str] = option([], "extra options of pip install for packs")
    python_runner_log_level: str = option("DEBUG", "level of the logger of Python actions")
    stream_output: bool = option(True, "store and stream stdout and stderr while an action runs")
    python_parent_idle: int = option(600, "a warm Python parent with nothing to do ends after so many seconds")
    lease: int = option(30, "a worker not heard of for so many seconds has lost its running actions")


@dataclass
class Api:
    host: str = option("127.0.0.1", "address to listen on")
    port: int = option(9101, "port to listen on")
    allow_origin: list[str] = option(["http://127.0.0.1:3000"], "CORS origins; * allows every one")
    mask_secrets: bool = option(True, "mask secret parameters and results in answers")
    max_page_size: int = option(100, "upper bound of limit for those who are not admins")
    auth_cookie_secure: bool = option(True, "Secure flag on the auth-token cookie")
    auth_cookie_same_site: str = option("lax", "strict, lax, none or unset")
    debug: bool = option(False, "more detail in the log of the API")
    workers: int = option(1, "gunicorn worker processes")
    threads: int = option(16, "request threads per worker process")
    max_body_size: int = option(14 * 1024 * 1024, "largest accepted request body, bytes")


@dataclass
class Auth:
    enable: bool = option(True, "API and stream require credentials")
    mode: str = option("standalone", "standalone or proxy")
    backend: str = option("flat_file", "name of the authentication backend (entry point st2auth.backends.backend)")
    backend_kwargs: str = option("", "JSON object given to the backend")
    host: str = option("127.0.0.1", "address to listen on")
    port: int = option(9100, "port to listen on")
    use_ssl: bool = option(False, "serve TLS")
    cert: str = option("/etc/apache2/ssl/mycert.crt", "TLS certificate file")
    key: str = option("/etc/apache2/ssl/mycert.key", "TLS key file")
    api_url: str = option("", "public API base without version, given to actions and clients (empty: from api.host and api.port)")
    token_ttl: int = option(86400, "default and maximum life of a token, seconds")
    service_token_ttl: int = option(86400, "life of tokens for actions and sensors, seconds")
    sso: bool = option(False, "single sign-on")
    sso_backend: str = option("noop", "single sign-on backend")
    sso_backend_kwargs: str = option("", "JSON object given to the single sign-on backend")
    debug: bool = option(False, "more detail in the log of the auth service")
    max_failures: int = option(10, "wrong passwords per user and address within a minute before 429")


@dataclass
class Content:
    system_packs_base_path: str = option("", "first directory searched for packs (empty: <base_path>/packs)")
    packs_base_paths: str = option("", "further directories, separated by colons; on a name clash the first wins")
    pack_group: str = option("st2packs", "group that owns installed packs")
    index_url: list[str] = option(["https://index.stackstorm.org/v1/index.json"], "pack indexes; earlier ones override later ones")


@dataclass
class Coordination:
    url: str = option("", "accepted for upstream's files; leases live in the database here")
    lock_timeout: int = option(60, "accepted for upstream's files")
    service_registry: bool = option(True, "services show themselves in the service registry")


@dataclass
class Database:
    host: str = option("127.0.0.1", "host name, or a whole mongodb:// URI")
    port: int = option(27017, "port, unless host is a URI")
    db_name: str = option("st2", "database name")
    username: str = option("", "user name")
    password: str = option("", "password")
    authentication_mechanism: str = option("", "as MongoDB names it")
    connection_timeout: int = option(3000, "server selection time-out, milliseconds")
    connection_retry_max_delay_m: int = option(3, "a service without its database at start waits so many minutes (0: for ever)")
    connection_retry_backoff_max_s: int = option(10, "longest pause between two attempts, seconds")
    connection_retry_backoff_mul: int = option(1, "first pause between two attempts, seconds")
    compressors: list[str] = option([], "wire compression: zstd, zlib")
    zlib_compression_level: int = option(-1, "-1 to 9")
    tls: bool = option(False, "use TLS")
    tls_ca_file: str = option("", "file of certificate authorities")
    tls_certificate_key_file: str = option("", "client certificate and key")
    tls_certificate_key_file_password: str = option("", "its password")
    tls_allow_invalid_certificates: bool = option(False, "do not check the server's certificate")
    tls_allow_invalid_hostnames: bool = option(False, "do not check the server's name")


@dataclass
class GarbageCollector:
    collection_interval: int = option(600, "seconds between two runs")
    sleep_delay: float = option(2.0, "pause between kinds, seconds")
    action_executions_ttl: int = option(0, "days; executions and their output; 0 = never")
    action_executions_output_ttl: int = option(7, "days; 0 = never")
    trigger_instances_ttl: int = option(0, "days; 0 = never")
    rule_enforcements_ttl: int = option(0, "days; 0 = never")
    traces_ttl: int = option(0, "days; 0 = never")
    tokens_ttl: int = option(0, "days after expiry; 0 = never")
    workflow_executions_ttl: int = option(0, "days; 0 = never")
    task_executions_ttl: int = option(0, "days; 0 = never")
    purge_inquiries: bool = option(False, "time out inquiries past their ttl")


@dataclass
class KeyValue:
    enable_encryption: bool = option(True, "allow secret values")
    encryption_key_path: str = option("", "JSON key file (st2-generate-symmetric-crypto-key writes one)")


@dataclass
class Log:
    level: str = option("INFO", "least level that is written")
    format: str = option("text", "text or json")
    excludes: list[str] = option([], "logger name prefixes to drop")
    mask_secrets: bool = option(True, "mask secret attributes in log records")
    mask_secrets_blacklist: list[str] = option([], "more attribute names to mask")
    redirect_stderr: bool = option(False, "send stderr to the log")
    audit_file: str = option("", "file for audit records (empty: with the others)")


@dataclass
class Messaging:
    url: str = option("amqp://guest:guest@127.0.0.1:5672//", "broker: amqp:// for RabbitMQ, redis:// for the embedded bus")
    cluster_urls: list[str] = option([], "several brokers; overrides url")
    prefix: str = option("st2", "prefix of every exchange and queue")
    connection_retries: int = option(10, "attempts of one publish before the caller is told")
    connection_retry_wait: int = option(10000, "longest pause between two attempts to connect, milliseconds")
    compression: str = option("", "zstd, lzma, bz2, gzip")
    quorum_queues: bool = option(False, "declare quorum queues (a RabbitMQ cluster of three or more)")
    visibility_timeout: int = option(30, "embedded bus: a message whose taker died is given to another after so many seconds")
    ssl: bool = option(False, "use TLS")
    ssl_ca_certs: str = option("", "file of certificate authorities")
    ssl_certfile: str = option("", "client certificate")
    ssl_keyfile: str = option("", "client key")
    login_method: str = option("", "as RabbitMQ names it")


@dataclass
class Metrics:
    driver: str = option("noop", "noop, echo, statsd")
    host: str = option("127.0.0.1", "statsd host")
    port: int = option(8125, "statsd port")
    prefix: str = option("", "added after st2.")
    sample_rate: float = option(1.0, "0 to 1")


@dataclass
class Packs:
    enable_common_libs: bool = option(False, "put <pack>/lib on the path of its actions and sensors")


@dataclass
class Rbac:
    enable: bool = option(False, "role based access control")
    backend: str = option("noop", "default when enabled")
    sync_remote_groups: bool = option(False, "map groups to roles at login")
    permission_isolation: bool = option(False, "users see only their own rules and executions")


@dataclass
class RulesEngine:
    prefetch: int = option(100, "trigger instances taken from the bus at a time")
    stale: int = option(30, "an event not processed after so many seconds is announced again")


@dataclass
class Scheduler:
    pool_size: int = option(10, "executions decided at a time")
    retry_wait_msec: int = option(2500, "wait before a delayed execution is tried again when nothing woke it, milliseconds")
    gc_interval: int = option(10, "seconds between two looks for what was lost")
    execution_scheduling_timeout_threshold_min: float = option(0.5, "minutes after which an execution nobody took is announced again")


@dataclass
class SensorContainer:
    sensor_node_name: str = option("sensornode1", "name of this node for partitioning")
    partition_provider: str = option("name:default", "key:value list, see operations.md 8.3")
    single_sensor_mode: bool = option(False, "run one sensor (--sensor-ref) and end with it")
    lease: int = option(20, "the sensors of a node not heard of for so many seconds move to the others")


@dataclass
class SshRunner:
    remote_dir: str = option("/tmp", "upload directory on remote hosts")
    allow_partial_failure: bool = option(False, "succeeded if one host succeeded")
    max_parallel_actions: int = option(50, "hosts in parallel")
    use_ssh_config: bool = option(False, "read an ssh client configuration")
    ssh_config_file_path: str = option("~/.ssh/config", "its path")
    ssh_connect_timeout: int = option(60, "seconds")


@dataclass
class Stream:
    host: str = option("127.0.0.1", "address to listen on")
    port: int = option(9102, "port to listen on")
    heartbeat: int = option(25, "seconds of silence before an empty line is sent")
    debug: bool = option(False, "more detail in the log of the stream")
    max_queue: int = option(1000, "events held for a slow reader before it is dropped")


@dataclass
class System:
    base_path: str = option("/opt/stackstorm", "packs, virtualenvs, configs, rbac and exports live below it")
    debug: bool = option(False, "more detail everywhere")
    validate_trigger_parameters: bool = option(True, "check the parameters of user trigger types when rules are created")
    validate_trigger_payload: bool = option(True, "check the payloads of sensors and webhooks")
    validate_output_schema: bool = option(False, "check results against output_schema")


@dataclass
class SystemUser:
    user: str = option(getpass.getuser(), "who runs local actions, and the requester when authentication is off")
    ssh_key_file: str = option("/home/stanley/.ssh/stanley_rsa", "key for remote actions")


@dataclass
class TimersEngine:
    enable: bool = option(True, "run timers")
    local_timezone: str = option("America/Los_Angeles", "accepted for upstream's files; timers without timezone use the machine's zone")


@dataclass
class WebUi:
    webui_base_url: str = option("https://localhost", "for web_url of executions")


@dataclass
class WorkflowEngine:
    retry_stop_max_msec: int = option(60000, "retry of database errors, milliseconds")
    retry_wait_fixed_msec: int = option(1000, "pause between retries, milliseconds")
    gc_max_idle_sec: int = option(0, "cancel workflows idle that long; 0 = never")
    sweep_idle_sec: float = option(15, "seconds after which a workflow run without news is looked at for news that were lost")
    exit_still_active_check: int = option(300, "longest wait at shutdown, seconds")


@dataclass
class Config:
    """All sections. Build it with ``load_config``; tests may build it by hand."""

    action_sensor: ActionSensor = field(default_factory=ActionSensor)
    actionrunner: ActionRunner = field(default_factory=ActionRunner)
    api: Api = field(default_factory=Api)
    auth: Auth = field(default_factory=Auth)
    content: Content = field(default_factory=Content)
    coordination: Coordination = field(default_factory=Coordination)
    database: Database = field(default_factory=Database)
    garbagecollector: GarbageCollector = field(default_factory=GarbageCollector)
    keyvalue: KeyValue = field(default_factory=KeyValue)
    log: Log = field(default_factory=Log)
    messaging: Messaging = field(default_factory=Messaging)
    metrics: Metrics = field(default_factory=Metrics)
    packs: Packs = field(default_factory=Packs)
    rbac: Rbac = field(default_factory=Rbac)
    rulesengine: RulesEngine = field(default_factory=RulesEngine)
    scheduler: Scheduler = field(default_factory=Scheduler)
    sensorcontainer: SensorContainer = field(default_factory=SensorContainer)
    ssh_runner: SshRunner = field(default_factory=SshRunner)
    stream: Stream = field(default_factory=Stream)
    system: System = field(default_factory=System)
    system_user: SystemUser = field(default_factory=SystemUser)
    timersengine: TimersEngine = field(default_factory=TimersEngine)
    webui: WebUi = field(default_factory=WebUi)
    workflow_engine: WorkflowEngine = field(default_factory=WorkflowEngine)
    files: list[str] = field(default_factory=list)
    """The files that were read, in order; handed on to child processes."""

    @property
    def base_path(self) -> Path:
        """Directory that holds packs/, configs/, virtualenvs/ and the rest."""
        return Path(self.system.base_path)

    @property
    def packs_paths(self) -> list[Path]:
        """Directories searched for packs, in order, without repeats (content.md section 1)."""
        first = self.content.system_packs_base_path or str(self.base_path / "packs")
        more = [part for part in self.content.packs_base_paths.split(":") if part]
        return [Path(part) for part in dict.fromkeys([first, *more])]

    @property
    def virtualenvs_path(self) -> Path:
        """Directory of the packs' virtualenvs."""
        return self.base_path / "virtualenvs"

    @property
    def configs_path(self) -> Path:
        """Directory of the packs' configuration files."""
        return self.base_path / "configs"

    @property
    def api_url(self) -> str:
        """Public base of the API without version."""
        return (self.auth.api_url or f"http://{self.api.host}:{self.api.port}").rstrip("/")

    @property
    def database_url(self) -> str:
        """The database as a mongodb:// URI (without the password)."""
        host = self.database.host
        return host if "://" in host else f"mongodb://{host}:{self.database.port}"

    @property
    def messaging_urls(self) -> list[str]:
        """Broker URLs in order of preference."""
        return self.messaging.cluster_urls or [self.messaging.url]
