"""Names that backend packages import: what a backend says it can do, in its attribute ``CAPABILITIES``."""

from __future__ import annotations


class AuthBackendCapability:
    """Capabilities of a backend."""

    CAN_AUTHENTICATE_USER = "can_authenticate_user"
    HAS_USER_INFORMATION = "has_user_info"
    HAS_GROUP_INFORMATION = "has_groups_info"
