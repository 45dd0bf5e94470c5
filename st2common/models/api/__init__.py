"""Module names that packs import (content.md section 11)."""
