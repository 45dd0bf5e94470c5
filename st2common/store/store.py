"""Put the stores of one database together, and connect to it."""

from __future__ import annotations

from typing import Any

import pymongo
from pymongo.database import Database

from st2common.clock import Clock
from st2common.config import Config
from st2common.models import ALL_MODELS
from st2common.store.access import ApiKeys, Roles, Tokens, Users
from st2common.store.catalog import Catalog
from st2common.store.coordination import Leases, Revisions
from st2common.store.events import Enforcements, TriggerInstances
from st2common.store.executions import Executions
from st2common.store.keys import Keys
from st2common.store.outputs import Outputs
from st2common.store.snapshots import Snapshots
from st2common.store.traces import Traces
from st2common.store.triggers import Triggers
from st2common.store.workflows import Workflows


class Store:
    """All named operations over one database.

    Args:
        database: the pymongo database.
        clock: time for everything that stamps a moment.
    """

    def __init__(self, database: Database[dict[str, Any]], clock: Clock | None = None) -> None:
        self.database = database
        self.clock = clock or Clock()
        self.revisions = Revisions(database)
        self.leases = Leases(database, self.clock)
        self.catalog = Catalog(database, self.revisions)
        self.triggers = Triggers(database, self.catalog)
        self.snapshots = Snapshots(database)
        self.executions = Executions(database, self.clock)
        self.outputs = Outputs(database, self.clock)
        self.workflows = Workflows(database, self.clock)
        self.instances = TriggerInstances(database, self.clock)
        self.enforcements = Enforcements(database, self.clock)
        self.traces = Traces(database)
        self.keys = Keys(database, self.clock)
        self.tokens = Tokens(database, self.clock)
        self.api_keys = ApiKeys(database, self.clock)
        self.users = Users(database)
        self.roles = Roles(database)

    def ping(self) -> None:
        """Raise pymongo's error when the database does not answer."""
        self.database.command("ping")

    def ensure_indexes(self) -> None:
        """Make every declared index that is missing (idempotent)."""
        for model in ALL_MODELS:
            collection = self.database[model._meta["collection"]]
            for spec in model._meta["index_specs"]:
                options = {key: value for key, value in spec.items() if key not in ("fields", "cls", "types")}
                collection.create_index(spec["fields"], **options)

    def close(self) -> None:
        """Close the connections."""
        self.database.client.close()


def connect(config: Config, clock: Clock | None = None) -> Store:
    """A store for the configured database. Connections are opened when first used.

    Retryable writes are off: every operation is idempotent by its ids, and the embedded database does not have them.
    """
    options = config.database
    arguments: dict[str, Any] = {
        "serverSelectionTimeoutMS": options.connection_timeout,
        "connectTimeoutMS": options.connection_timeout,
        "retryWrites": False,
        "w": "majority",
        "journal": True,
        "appname": "st2",
        "maxPoolSize": 100,
    }
    if options.username:
        arguments.update(username=options.username, password=options.password)
    if options.authentication_mechanism:
        arguments["authMechanism"] = options.authentication_mechanism
    if options.compressors:
        arguments.update(compressors=",".join(options.compressors), zlibCompressionLevel=options.zlib_compression_level)
    if options.tls:
        arguments["tls"] = True
        named = {
            "tlsCAFile": options.tls_ca_file,
            "tlsCertificateKeyFile": options.tls_certificate_key_file,
            "tlsCertificateKeyFilePassword": options.tls_certificate_key_file_password,
            "tlsAllowInvalidCertificates": options.tls_allow_invalid_certificates,
            "tlsAllowInvalidHostnames": options.tls_allow_invalid_hostnames,
        }
        arguments.update({key: value for key, value in named.items() if value})
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(config.database_url, **arguments)
    return Store(client[options.db_name], clock)
