"""Content from disk: reading packs, checking and registering what they hold, fetching and removing them (content.md sections 1 to 6)."""
