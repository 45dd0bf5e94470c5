"""The application for a gunicorn of one's own: ``gunicorn st2api.wsgi:application``, configured by ``ST2_CONFIG_PATH``."""

from __future__ import annotations

from st2api.app import create_app
from st2common.config import load_config
from st2common.log import setup_logging
from st2common.platform import Platform

_config = load_config()
setup_logging(_config.log, debug=_config.system.debug)
application = create_app(Platform(_config))
