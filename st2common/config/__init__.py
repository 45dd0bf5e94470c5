"""Typed options, read once from INI files, the environment and flags, and handed in (operations.md section 1).

Order, later wins: defaults, ``--config-file`` (repeatable), ``--config-dir``/*.conf sorted, ``ST2_SECTION__OPTION``.
Unknown keys are ignored, as upstream does; a value of the wrong type names the option and its source.
"""

from st2common.config.loader import load_config
from st2common.config.options import Config

__all__ = ["Config", "load_config"]
