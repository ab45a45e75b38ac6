"""For gunicorn's own command: `gunicorn --config python:tileserver.cli.gunicorn_config --bind HOST:PORT`.

It sets what `comeo serve` sets. Settings come from the environment; addresses are gunicorn's to know.
"""

from __future__ import annotations

import sys

from comeo.settings import configure as configure_codecs
from tileserver.cli.gunicorn import options
from tileserver.logs import configure
from tileserver.settings import Settings

_settings = Settings.from_environment()
configure(_settings.log_format or ("text" if sys.stderr.isatty() else "json"))
configure_codecs(_settings.codecs)
wsgi_app = "tileserver:create_app()"
globals().update(options(_settings))
