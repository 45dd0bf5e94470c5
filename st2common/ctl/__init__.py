"""``st2ctl``: the whole platform in the foreground from one command, and the drive of its services in production."""
