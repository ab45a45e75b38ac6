"""COMEO's tile server: scenes compressed a hundredfold, served as if they were whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tileserver.settings import Settings

if TYPE_CHECKING:
    from flask_openapi3.openapi import OpenAPI

__all__ = ["Settings", "create_app"]


def create_app(settings: Settings | None = None) -> OpenAPI:
    """Make the Flask application: see `tileserver.app`."""
    from tileserver.app import create_app as create  # noqa: PLC0415 - the settings alone load quickly

    return create(settings)
