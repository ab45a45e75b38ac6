"""The peer: TiTiler's own tile factory, as its documentation starts it."""

from __future__ import annotations

from fastapi import FastAPI
from titiler.core.factory import TilerFactory

app = FastAPI()
app.include_router(TilerFactory().router)
