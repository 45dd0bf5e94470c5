"""linux.wait_for_ssh: try to log in until it works."""

import asyncio
import time

from st2common.runners.base_action import Action


class WaitForSshAction(Action):
    def run(
        self,
        hostname: str,
        port: int,
        username: str,
        password: str | None = None,
        keyfile: str | None = None,
        ssh_timeout: int = 5,
        sleep_delay: int = 20,
        retries: int = 10,
    ) -> bool:
        """Returns true once a login worked; raises RuntimeError after ``retries`` attempts, ``sleep_delay`` seconds apart."""
        import asyncssh  # heavy, and only this action needs it

        async def log_in() -> None:
            options = {"password": password, "client_keys": [keyfile] if keyfile else ()} if password or keyfile else {}
            async with asyncssh.connect(
                hostname, port=port, username=username, known_hosts=None, connect_timeout=ssh_timeout, login_timeout=ssh_timeout, **options
            ):
                return

        reason = "no attempt was made"
        for attempt in range(1, retries + 1):
            try:
                asyncio.run(log_in())
                return True
            except (OSError, asyncssh.Error, TimeoutError) as error:
                reason = f"{type(error).__name__}: {error}"
                self.logger.info("Attempt %d of %d: cannot log in to %s:%s yet (%s)", attempt, retries, hostname, port, reason)
            if attempt < retries:
                time.sleep(sleep_delay)
        raise RuntimeError(f"Exceeded max retries ({retries}): cannot log in to {hostname}:{port} as {username}: {reason}")
