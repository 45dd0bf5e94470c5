"""linux.dig: ask the DNS through the dig command."""

import random
import subprocess

from st2common.runners.base_action import Action


class DigAction(Action):
    def run(
        self, hostname: str, count: int = 0, nameserver: str | None = None, queryopts: str = "short", querytype: str = "A", rand: bool = False
    ) -> list[str]:
        """Returns the lines of dig's answer (with the option ``short``: one record each), at most ``count`` of them."""
        words = [hostname, querytype, *(queryopts.split(",") if queryopts else [])]
        if bad := [word for word in words if word.startswith(("-", "@"))]:
            raise ValueError(f"Not a name, type or query option: {bad[0]!r}")

        command = ["dig"]
        if nameserver:
            command.append(f"@{nameserver}")
        command += [f"+{option.strip()}" for option in queryopts.split(",") if option.strip()] if queryopts else []
        command += [hostname, querytype]
        self.logger.debug("Running %s", " ".join(command))

        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise RuntimeError("The command dig is not installed on this machine") from None
        if done.returncode != 0:
            raise RuntimeError(f"dig ended with {done.returncode}: {(done.stderr or done.stdout).strip()}")

        answers = [line for line in done.stdout.splitlines() if line.strip()]
        if rand:
            random.shuffle(answers)
        return answers[:count] if count > 0 else answers
