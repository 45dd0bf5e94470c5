"""Single sign-on: the interface that backend packages implement, and the routes (api.md 3.4)."""
