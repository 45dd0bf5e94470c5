"""How resources are shown: tables, labelled text, JSON, YAML (cli.md 3)."""
