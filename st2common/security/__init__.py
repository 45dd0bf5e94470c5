"""Secrets: datastore encryption and password files."""
