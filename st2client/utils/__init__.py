"""Small building blocks; the module names are those that existing packs and their tests import (pyclient.md 1)."""
