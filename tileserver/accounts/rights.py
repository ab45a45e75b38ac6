"""Who may do what: the one table of routes and roles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tileserver.store.accounts import Role

Roles = frozenset[Role]
READS: Final[Roles] = frozenset({"viewer", "moderator", "editor", "owner"})
DECIDES: Final[Roles] = frozenset({"moderator", "owner"})
CHANGES: Final[Roles] = frozenset({"editor", "owner"})
OWNS: Final[Roles] = frozenset({"owner"})
_OF: Final = "/geoservices/<slug>"

ROLES: Final[Mapping[tuple[str, str], Roles]] = {
    ("GET", _OF): READS,
    ("GET", f"{_OF}/series"): READS,
    ("GET", f"{_OF}/sites.geojson"): READS,
    ("GET", f"{_OF}/alerts"): READS,
    ("GET", f"{_OF}/alerts.atom"): READS,
    ("GET", "/alerts/<number>"): READS,
    ("POST", "/alerts/<number>/decision"): DECIDES,
    ("PATCH", _OF): CHANGES,
    ("POST", f"{_OF}/activate"): CHANGES,
    ("POST", f"{_OF}/pause"): CHANGES,
    ("POST", f"{_OF}/archive"): CHANGES,
    ("POST", f"{_OF}/copy"): CHANGES,
    ("GET", f"{_OF}/recipients"): CHANGES,
    ("POST", f"{_OF}/recipients"): CHANGES,
    ("DELETE", f"{_OF}/recipients/<number>"): CHANGES,
    ("POST", f"{_OF}/recipients/<number>/secret"): CHANGES,
    ("DELETE", _OF): OWNS,
    ("PUT", f"{_OF}/visibility"): OWNS,
    ("GET", f"{_OF}/roles"): OWNS,
    ("PUT", f"{_OF}/roles"): OWNS,
    ("DELETE", f"{_OF}/roles/<number>"): OWNS,
    ("POST", f"{_OF}/transfer"): OWNS,
}
"""Whoever has one of these roles in the geoservice."""
PUBLIC: Final = READS
"""Routes of these roles are everybody's if the geoservice is public."""
OF_OWNER: Final = frozenset(
    {
        ("GET", "/sites/<number>"), ("PUT", "/sites/<number>"), ("DELETE", "/sites/<number>"),
        ("GET", "/sites/<number>/members"), ("PUT", "/sites/<number>/members"),
    }
)  # fmt: skip
"""The site's owner alone; others see it as part of a geoservice."""
SIGNED_IN: Final = frozenset(
    {("GET", "/sites"), ("POST", "/sites"), ("POST", "/geoservices"), ("PATCH", "/account"),
     ("POST", "/account/logout")}
)  # fmt: skip
"""Whoever is signed in."""


def allowed(method: str, route: str, role: Role | None, *, is_public: bool) -> bool:
    """Whether a role, or none, may use a route of a geoservice.

    Args:
        method: Of HTTP.
        route: As in the application's map.
        role: That the account has in the geoservice.
        is_public: Whether everybody may read the geoservice.
    """
    roles = ROLES["GET" if method == "HEAD" else method, route]
    return role in roles or (is_public and roles is PUBLIC)
