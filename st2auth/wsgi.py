"""``st2auth.wsgi:application`` for WSGI servers that are started by hand; the configuration is that of ``ST2_CONFIG_PATH``."""

from st2auth.app import backends, create_app
from st2common.config import load_config
from st2common.log import setup_logging
from st2common.platform import Platform

_config = load_config()
setup_logging(_config.log, debug=_config.system.debug)
application = create_app(Platform(_config), *backends(_config))
