"""The runners: one module per kind of action. The package itself imports nothing, action processes come through it."""
