"""Commands, one module per noun; a module is imported when one of its commands is used (st2client.shell.COMMANDS)."""
