"""Optional parts of the package: the extra to install for a module that is missing."""

from __future__ import annotations

_EXTRA_OF = {
    "alembic": "geoservices",
    "authlib": "oidc",
    "babel": "geoservices",
    "brotli": "server",
    "cryptography": "relay",
    "distributed": "dask",
    "markdown_it": "geoservices",
    "flask": "server",
    "flask_openapi3": "server",
    "geojson_pydantic": "server",
    "gunicorn": "server",
    "jinja2": "qualify",
    "lxml": "server",
    "mercantile": "server",
    "obstore": "objects",
    "onnxruntime": "cpu",
    "joserfc": "oidc",
    "platformdirs": "qualify",
    "prometheus_client": "server",
    "psycopg": "postgres",
    "pyogrio": "geoservices",
    "requests": "oidc",
    "sqlalchemy": "geoservices",
    "imagecodecs": "jpeg2000",
    "s2cloudless": "clouds",
    "scipy": "qualify",
    "sklearn": "qualify",
    "xarray": "xarray",
    "zarr": "xarray",
    "zeroconf": "lan",
}


def advice(error: ModuleNotFoundError) -> str | None:
    """Return the sentence that says what to install, or None if the missing module belongs to no extra."""
    module = (error.name or "").partition(".")[0]
    extra = _EXTRA_OF.get(module)
    return extra and f"{module} is not installed; run: pip install 'comeo[{extra}]'"
