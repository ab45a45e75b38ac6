"""Who may do what: the one table of routes and roles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tileserver.store.accounts import Role
from tileserver.store.shares import Scope

Roles = frozenset[Role]
READS: Final[Roles] = frozenset({"viewer", "moderator", "editor", "owner"})
DECIDES: Final[Roles] = frozenset({"moderator", "owner"})
CHANGES: Final[Roles] = frozenset({"editor", "owner"})
OWNS: Final[Roles] = frozenset({"owner"})
WRITES: Final[Roles] = DECIDES | CHANGES
_OF: Final = "/geoservices/<slug>"

ROLES: Final[Mapping[tuple[str, str], Roles]] = {
    ("GET", _OF): READS,
    ("GET", f"{_OF}/series"): READS,
    ("GET", f"{_OF}/sites.geojson"): READS,
    ("GET", f"{_OF}/maps"): READS,
    ("GET", f"{_OF}/map/<period>/tilejson.json"): READS,
    ("GET", f"{_OF}/map/<period>/tiles/<tms>/<z>/<x>/<y>.<format>"): READS,
    ("GET", f"{_OF}/map/<period>/extract.tif"): READS,
    ("GET", f"{_OF}/alerts"): READS,
    ("GET", f"{_OF}/alerts.atom"): READS,
    ("GET", "/alerts/<number>"): READS,
    ("GET", "/alerts/<number>/evidence"): READS,
    ("POST", "/alerts/<number>/decision"): DECIDES,
    ("GET", f"{_OF}/bulletins"): READS,
    ("GET", "/bulletins/<number>.html"): READS,
    ("GET", "/bulletins/<number>.pdf"): READS,
    ("GET", "/bulletins/<number>.json"): READS,
    ("POST", "/bulletins/<number>/submit"): WRITES,
    ("POST", "/bulletins/<number>/recompose"): WRITES,
    ("POST", "/bulletins/<number>/approve"): DECIDES,
    ("POST", "/bulletins/<number>/reject"): DECIDES,
    ("PATCH", _OF): CHANGES,
    ("POST", f"{_OF}/preview"): CHANGES,
    ("POST", f"{_OF}/activate"): CHANGES,
    ("POST", f"{_OF}/pause"): CHANGES,
    ("POST", f"{_OF}/archive"): CHANGES,
    ("POST", f"{_OF}/copy"): CHANGES,
    ("GET", f"{_OF}/failures"): CHANGES,
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
    ("GET", f"{_OF}/shares"): OWNS,
    ("POST", f"{_OF}/shares"): OWNS,
    ("DELETE", f"{_OF}/shares/<name>"): OWNS,
    ("GET", f"{_OF}/audit"): OWNS,
}
"""Whoever has one of these roles in the geoservice."""
PUBLIC: Final = READS
"""Routes of these roles are everybody's if the geoservice is public, and its links' if it is shared."""
FILES: Final = frozenset({"csv", "parquet", "coveragejson"})
"""Formats that are taken away as files: a link of scope `view` opens pages alone, of `data` these, too."""
OF_OWNER: Final = frozenset(
    {
        ("GET", "/sites/<number>"), ("PUT", "/sites/<number>"), ("DELETE", "/sites/<number>"),
        ("GET", "/sites/<number>/members"), ("PUT", "/sites/<number>/members"),
    }
)  # fmt: skip
"""The site's owner alone; others see it as part of a geoservice."""
SIGNED_IN: Final = frozenset(
    {("GET", "/sites"), ("POST", "/sites"), ("POST", "/geoservices"), ("PATCH", "/account"),
     ("POST", "/account/logout"), ("GET", "/alerts"), ("POST", "/geoservices/preview")}
)  # fmt: skip
"""Whoever is signed in."""


def allowed(
    method: str,
    route: str,
    role: Role | None,
    *,
    is_public: bool,
    scope: Scope | None = None,
    form: str | None = None,
) -> bool:
    """Whether a role, a link that was shared, or nobody may use a route of a geoservice.

    Args:
        method: Of HTTP.
        route: As in the application's map.
        role: That the account has in the geoservice.
        is_public: Whether everybody may read the geoservice.
        scope: Of the link by which it is read; None without one.
        form: Format that is asked for.
    """
    roles = ROLES["GET" if method == "HEAD" else method, route]
    if role in roles or (is_public and roles is PUBLIC):
        return True
    return roles is PUBLIC and (scope == "data" or (scope == "view" and form not in FILES))
