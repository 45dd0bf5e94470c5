"""The built-in backend ``flat_file``: an htpasswd file (operations.md section 10)."""

from __future__ import annotations

from st2auth.backends.base import BaseAuthenticationBackend
from st2auth.backends.constants import AuthBackendCapability
from st2common.exceptions import St2Error
from st2common.log import getLogger
from st2common.security.passwords import HtpasswdFile, is_weak_hash

LOG = getLogger("st2auth.flat_file")


class FlatFileBackend(BaseAuthenticationBackend):
    """Users of an htpasswd file, which is read again when it changes.

    Args:
        file_path: the file.
    """

    CAPABILITIES = (AuthBackendCapability.CAN_AUTHENTICATE_USER,)

    def __init__(self, file_path: str) -> None:
        self._file = HtpasswdFile(file_path)
        self._warned: set[str] = set()

    def authenticate(self, username: str, password: str) -> bool:
        try:
            good = self._file.verify(username, password)
        except OSError as error:
            LOG.error("password file %s cannot be read: %s", self._file.path, error.strerror)
            raise St2Error("The password file of the authentication service cannot be read.") from error
        if good and username not in self._warned and is_weak_hash(self._file.hashes().get(username, "")):
            self._warned.add(username)
            LOG.warning('the password of user "%s" is stored with a weak hash; use bcrypt (htpasswd -B)', username)
        return good
