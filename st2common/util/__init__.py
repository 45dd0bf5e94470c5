"""Module names that packs import (content.md section 11). The platform itself does not use them."""
