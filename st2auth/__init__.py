"""Authentication service: tokens from names and passwords."""
