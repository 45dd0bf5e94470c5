"""``st2api.stream.asgi:application`` for ASGI servers that are started by hand; the configuration is that of ``ST2_CONFIG_PATH``."""

from st2api.stream.app import StreamApp
from st2common.config import load_config
from st2common.log import setup_logging
from st2common.platform import Platform

_config = load_config()
setup_logging(_config.log, debug=_config.system.debug)
application = StreamApp(Platform(_config))
