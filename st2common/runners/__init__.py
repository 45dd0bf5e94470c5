"""The contract of a runner, its registry, and the classes that actions of packs derive from.

Importing this package must stay cheap: action processes import it (architecture.md section 2, "The porch").
"""
