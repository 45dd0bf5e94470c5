"""core.pause: sleep and tell for how long."""

import random as random_module
import time

from st2common.runners.base_action import Action


class PauseAction(Action):
    def run(self, max_pause: int, random: bool = False) -> int:
        """Sleep ``max_pause`` seconds, or a random whole number of them up to it; returns the seconds slept."""
        if max_pause < 0:
            raise ValueError(f"max_pause must not be negative, got {max_pause}")
        seconds = random_module.randint(0, max_pause) if random else max_pause
        self.logger.info("Sleeping for %d seconds", seconds)
        time.sleep(seconds)
        return seconds
