"""Secrets: datastore encryption, password files, masking. Who may do what is decided elsewhere."""
