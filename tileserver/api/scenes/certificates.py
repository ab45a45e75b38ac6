"""Quality certificates: the errors that compression has caused."""

from __future__ import annotations

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from tileserver.http import parameters as p
from tileserver.http.context import document_answer, scenes
from tileserver.render import fidelity
from tileserver.render.parameters import Parameters

api = APIBlueprint("certificates", __name__, url_prefix="/collections/<collection>/items/<item>")
TAG = Tag(name="Quality", description="Errors that compression has caused.")
ByBlock = list[list[list[float | None]]]


class CertificateQuery(Parameters):
    """How much detail."""

    blocks: bool = Field(False, description="Whether to give the figures of every block, too.")


class Summary(BaseModel):
    """Fidelity in a word and a figure."""

    expected_error: float = Field(description="Root mean square over bands of their RMSE, in `unit`.")
    field_error: float | None = Field(
        description="Of radar: RMSE of the mean power of 8×8 pixels in dB, of the worst band; else null."
    )
    bias: float | None = Field(
        description="Of radar: bias of the scene's mean power in dB, of the worst band; else null."
    )
    unit: str | None = Field(description="Of the physical values: reflectance, dB; null if not known.")
    grade: str | None = Field(
        description="Very close, Close, Approximate or Coarse, of radar by `field_error` and `bias`; null "
        "where it is not known."
    )
    meaning: str | None = Field(description="Uses that this is good enough for.")


class BandErrors(BaseModel):
    """Errors of a band over the scene, in stored numbers; null for a band without a valid pixel."""

    name: str
    rmse: float | None
    maximum: float | None = Field(description="Greatest absolute error.")
    bias: float | None = Field(description="Mean error: positive where the archive is too bright.")
    psnr: float | None = Field(description="dB; null without any error, and where the unit has no peak.")
    unit: str | None
    physical_rmse: float | None = Field(description="The RMSE in `unit`.")


class BlockFigures(BaseModel):
    """Figures of blocks, in stored numbers: (band, row, column), null where a block has no valid pixel."""

    rmse: ByBlock | None
    maximum: ByBlock | None
    bias: ByBlock | None


class GroupFigures(BaseModel):
    """Errors of the bands of one resolution."""

    psnr: float | None = Field(description="dB, from the mean of the bands' MSE; null as that of a band.")
    bands: list[BandErrors]
    correlation: list[list[float]] | None = Field(description="Of the bands' errors.")
    block: int = Field(description="Side of a block, in pixels.")
    grid: list[int] = Field(description="Rows and columns of blocks.")
    blocks: BlockFigures | None = Field(description="With `blocks=true`.")


class CloudErrors(BaseModel):
    """Errors of clouds that were coded more coarsely, in stored numbers."""

    coding: str = Field(description="`coarse`.")
    weight: float = Field(description="Share that their squared errors counted.")
    share: float = Field(description="Pixels of cloud, in percent of those whose class is known.")
    rmse: dict[str, float | None] = Field(description="By band; null without a pixel of cloud.")
    maximum: dict[str, float | None] = Field(description="Greatest absolute error, by band.")


class PowerErrors(BaseModel):
    """Errors of the mean power of a band in dB; null where there is nothing to measure them on."""

    bias: float | None = Field(description="10·log10 of decoded over original power, over the scene.")
    rmse_8: float | None = Field(description="RMSE of the mean power of 8×8 pixels, in dB.")


class CertificateAnswer(BaseModel):
    """Errors of an archive."""

    id: str
    collection: str
    codec: str
    model: str | None
    ratio: float
    step: float
    peak: float | None = Field(
        description="Peak of the PSNR, in stored numbers: reflectance 1.0, or 50 dB; null if there is none, "
        "or several."
    )
    by_block: bool = Field(
        description="Whether errors are known block by block; else those of the scene stand for them."
    )
    summary: Summary | None
    clouds: CloudErrors | None = Field(
        description="Errors in clouds, if they were coded more coarsely: all else is of the ground then."
    )
    power: dict[str, PowerErrors] | None = Field(
        description="Of radar, by band: errors of means, which are means of power; null where not stated."
    )
    groups: dict[str, GroupFigures]


@api.get("/certificate", tags=[TAG], responses={200: CertificateAnswer})
def certificate(path: p.ItemPath, query: CertificateQuery) -> Response:
    """Errors that compression has caused, measured when the archive was made; 404 without a certificate."""
    record = scenes().find(path.collection, path.item)
    return document_answer(fidelity.document(scenes(), record, blocks=query.blocks))
