"""Configuration of packs."""

from st2client.models.core import Resource


class ConfigSchema(Resource):
    """What a pack's configuration may hold."""

    _display_name = "Config Schema"
    _plural = "ConfigSchemas"
    _plural_display_name = "Config Schemas"
    _url_path = "config_schemas"
    _repr_attributes = ["id", "pack", "attributes"]


class Config(Resource):
    """Configuration of one pack: `pack`, `values`."""

    _display_name = "Config"
    _plural = "Configs"
    _plural_display_name = "Configs"
