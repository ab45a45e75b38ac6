"""The metadata files of a generated Sentinel-2 product, laid out as ESA's are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.safe_generator import Recipe

BANDS = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12")
RESOLUTIONS = (60, 10, 10, 10, 20, 20, 20, 10, 20, 60, 60, 20, 20)
WAVELENGTHS = (443.9, 496.6, 560.0, 664.5, 703.9, 740.2, 782.5, 835.1, 864.8, 945.0, 1373.5, 1613.7, 2202.4)
SENSING = "2019-05-30T10:30:31.024Z"
TILE_SENSING = "2019-05-30T10:34:27.461Z"
NAMESPACE = "https://psd-14.sentinel2.eo.esa.int/PSD"
SCHEMA = "http://www.w3.org/2001/XMLSchema-instance"
CONTENT = {
    "DEGRADED_MSI_DATA_PERCENTAGE": 0.0,
    "NODATA_PIXEL_PERCENTAGE": 15.5,
    "SATURATED_DEFECTIVE_PIXEL_PERCENTAGE": 0.001,
    "DARK_FEATURES_PERCENTAGE": 0.4,
    "CLOUD_SHADOW_PERCENTAGE": 1.5,
    "VEGETATION_PERCENTAGE": 60.25,
    "NOT_VEGETATED_PERCENTAGE": 12.0,
    "WATER_PERCENTAGE": 3.0,
    "UNCLASSIFIED_PERCENTAGE": 0.6,
    "MEDIUM_PROBA_CLOUDS_PERCENTAGE": 5.0,
    "HIGH_PROBA_CLOUDS_PERCENTAGE": 14.0,
    "THIN_CIRRUS_PERCENTAGE": 3.25,
    "SNOW_ICE_PERCENTAGE": 0.0,
}
CLOUD_COVER = 22.25


def product(recipe: Recipe, image_files: Sequence[str], origin: tuple[int, int, int]) -> str:
    """`MTD_MSIL1C.xml` or `MTD_MSIL2A.xml`."""
    number = recipe.level[1:]
    uri = recipe.name
    files = "\n".join(f"          <IMAGE_FILE>{name}</IMAGE_FILE>" for name in image_files)
    prefix = "BOA" if recipe.level == "L2A" else "RADIO"
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<n1:Level-{number}_User_Product xmlns:n1="{NAMESPACE}/User_Product_Level-{number}.xsd" xmlns:xsi="{SCHEMA}">
  <n1:General_Info>
    <Product_Info>
      <PRODUCT_START_TIME>{SENSING}</PRODUCT_START_TIME>
      <PRODUCT_STOP_TIME>{SENSING}</PRODUCT_STOP_TIME>
      <PRODUCT_URI>{uri}</PRODUCT_URI>
      <PROCESSING_LEVEL>Level-{number}</PROCESSING_LEVEL>
      <PRODUCT_TYPE>S2MSI{number}</PRODUCT_TYPE>
      <PROCESSING_BASELINE>{recipe.baseline}</PROCESSING_BASELINE>
      <GENERATION_TIME>2019-05-30T12:37:41.000000Z</GENERATION_TIME>
      <PREVIEW_IMAGE_URL>Not applicable</PREVIEW_IMAGE_URL>
      <PREVIEW_GEO_INFO>Not applicable</PREVIEW_GEO_INFO>
      <Datatake datatakeIdentifier="GS2A_{recipe.time}_{recipe.orbit:06d}_N{recipe.baseline}">
        <SPACECRAFT_NAME>Sentinel-2A</SPACECRAFT_NAME>
        <DATATAKE_TYPE>INS-NOBS</DATATAKE_TYPE>
        <DATATAKE_SENSING_START>{SENSING}</DATATAKE_SENSING_START>
        <SENSING_ORBIT_NUMBER>108</SENSING_ORBIT_NUMBER>
        <SENSING_ORBIT_DIRECTION>DESCENDING</SENSING_ORBIT_DIRECTION>
      </Datatake>
      <Query_Options completeSingleTile="true">
        <PRODUCT_FORMAT>SAFE_COMPACT</PRODUCT_FORMAT>
      </Query_Options>
      <Product_Organisation>
        <Granule_List>
          <Granule datastripIdentifier="{_strip_id(recipe)}" granuleIdentifier="{_tile_id(recipe)}"
                   imageFormat="JPEG2000">
{files}
          </Granule>
        </Granule_List>
      </Product_Organisation>
    </Product_Info>
    <Product_Image_Characteristics>
      <Special_Values>
        <SPECIAL_VALUE_TEXT>NODATA</SPECIAL_VALUE_TEXT>
        <SPECIAL_VALUE_INDEX>0</SPECIAL_VALUE_INDEX>
      </Special_Values>
      <Special_Values>
        <SPECIAL_VALUE_TEXT>SATURATED</SPECIAL_VALUE_TEXT>
        <SPECIAL_VALUE_INDEX>65535</SPECIAL_VALUE_INDEX>
      </Special_Values>
      <Image_Display_Order>
        <RED_CHANNEL>3</RED_CHANNEL>
        <GREEN_CHANNEL>2</GREEN_CHANNEL>
        <BLUE_CHANNEL>1</BLUE_CHANNEL>
      </Image_Display_Order>
{_quantification(recipe)}
{_offsets(recipe, prefix)}
      <Reflectance_Conversion>
        <U>0.972836</U>
      </Reflectance_Conversion>
      <Spectral_Information_List>
{_spectral()}
      </Spectral_Information_List>
    </Product_Image_Characteristics>
  </n1:General_Info>
  <n1:Geometric_Info>
    <Product_Footprint>
      <Product_Footprint>
        <Global_Footprint>
          <EXT_POS_LIST>47.8 7.6 47.8 9.1 46.8 9.1 46.8 7.6 47.8 7.6 </EXT_POS_LIST>
        </Global_Footprint>
      </Product_Footprint>
      <RASTER_CS_TYPE>POINT</RASTER_CS_TYPE>
      <PIXEL_ORIGIN>1</PIXEL_ORIGIN>
    </Product_Footprint>
    <Coordinate_Reference_System>
      <GEO_TABLES version="1">EPSG</GEO_TABLES>
      <HORIZONTAL_CS_TYPE>GEOGRAPHIC</HORIZONTAL_CS_TYPE>
    </Coordinate_Reference_System>
  </n1:Geometric_Info>
  <n1:Quality_Indicators_Info>
    <Cloud_Coverage_Assessment>{CLOUD_COVER}</Cloud_Coverage_Assessment>
    <Technical_Quality_Assessment>
      <DEGRADED_ANC_DATA_PERCENTAGE>0.0</DEGRADED_ANC_DATA_PERCENTAGE>
      <DEGRADED_MSI_DATA_PERCENTAGE>0</DEGRADED_MSI_DATA_PERCENTAGE>
    </Technical_Quality_Assessment>
  </n1:Quality_Indicators_Info>
</n1:Level-{number}_User_Product>
"""


def _tile_id(recipe: Recipe) -> str:
    run = f"S2A_OPER_MSI_{recipe.level}_TL_SGS__20190530T123741"
    return f"{run}_A{recipe.orbit:06d}_T{recipe.tile}_N{recipe.baseline}"


def _strip_id(recipe: Recipe) -> str:
    return f"S2A_OPER_MSI_{recipe.level}_DS_SGS__20190530T123741_S{recipe.time}_N{recipe.baseline}"


def _quantification(recipe: Recipe) -> str:
    if recipe.level == "L1C":
        return '      <QUANTIFICATION_VALUE unit="none">10000</QUANTIFICATION_VALUE>'
    return """      <QUANTIFICATION_VALUES_LIST>
        <BOA_QUANTIFICATION_VALUE unit="none">10000</BOA_QUANTIFICATION_VALUE>
        <AOT_QUANTIFICATION_VALUE unit="none">1000.0</AOT_QUANTIFICATION_VALUE>
        <WVP_QUANTIFICATION_VALUE unit="cm">1000.0</WVP_QUANTIFICATION_VALUE>
      </QUANTIFICATION_VALUES_LIST>"""


def _offsets(recipe: Recipe, prefix: str) -> str:
    if not recipe.offset:
        return ""
    name = f"{prefix}_ADD_OFFSET"
    holder = "BOA_ADD_OFFSET_VALUES_LIST" if prefix == "BOA" else "Radiometric_Offset_List"
    rows = "\n".join(f'        <{name} band_id="{i}">{-recipe.offset}</{name}>' for i in range(len(BANDS)))
    return f"      <{holder}>\n{rows}\n      </{holder}>"


def _spectral() -> str:
    return "\n".join(
        f"""        <Spectral_Information bandId="{index}" physicalBand="{band}">
          <RESOLUTION>{resolution}</RESOLUTION>
          <Wavelength>
            <CENTRAL unit="nm">{wavelength}</CENTRAL>
          </Wavelength>
        </Spectral_Information>"""
        for index, (band, resolution, wavelength) in enumerate(
            zip(BANDS, RESOLUTIONS, WAVELENGTHS, strict=True)
        )
    )


def tile(recipe: Recipe, image_files: Sequence[str], origin: tuple[int, int, int]) -> str:
    """`MTD_TL.xml`."""
    number = recipe.level[1:]
    ulx, uly, epsg = origin
    sizes = "\n".join(
        f"""      <Size resolution="{resolution}">
        <NROWS>{recipe.size * 10 // resolution}</NROWS>
        <NCOLS>{recipe.size * 10 // resolution}</NCOLS>
      </Size>"""
        for resolution in (10, 20, 60)
    )
    positions = "\n".join(
        f"""      <Geoposition resolution="{resolution}">
        <ULX>{ulx}</ULX>
        <ULY>{uly}</ULY>
        <XDIM>{resolution}</XDIM>
        <YDIM>-{resolution}</YDIM>
      </Geoposition>"""
        for resolution in (10, 20, 60)
    )
    content = "\n".join(f"      <{name}>{value}</{name}>" for name, value in CONTENT.items())
    angles = "\n".join(
        f"          <VALUES>{' '.join(f'{27.5 + 0.03 * row - col / 50:.2f}' for col in range(23))}</VALUES>"
        for row in range(23)
    )
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<n1:Level-{number}_Tile_ID xmlns:n1="{NAMESPACE}/S2_PDI_Level-{number}_Tile_Metadata.xsd"
    xmlns:xsi="{SCHEMA}">
  <n1:General_Info>
    <TILE_ID metadataLevel="Brief">{_tile_id(recipe)}</TILE_ID>
    <DATASTRIP_ID metadataLevel="Standard">{_strip_id(recipe)}</DATASTRIP_ID>
    <DOWNLINK_PRIORITY metadataLevel="Standard">NOMINAL</DOWNLINK_PRIORITY>
    <SENSING_TIME metadataLevel="Standard">{TILE_SENSING}</SENSING_TIME>
    <Archiving_Info metadataLevel="Expertise">
      <ARCHIVING_CENTRE>SGS_</ARCHIVING_CENTRE>
      <ARCHIVING_TIME>2019-05-30T13:02:21.166364Z</ARCHIVING_TIME>
    </Archiving_Info>
  </n1:General_Info>
  <n1:Geometric_Info>
    <Tile_Geocoding metadataLevel="Brief">
      <HORIZONTAL_CS_NAME>WGS84 / UTM zone {recipe.tile[:2]}N</HORIZONTAL_CS_NAME>
      <HORIZONTAL_CS_CODE>EPSG:{epsg}</HORIZONTAL_CS_CODE>
{sizes}
{positions}
    </Tile_Geocoding>
    <Tile_Angles metadataLevel="Standard">
      <Sun_Angles_Grid>
        <Zenith>
          <COL_STEP unit="m">5000</COL_STEP>
          <ROW_STEP unit="m">5000</ROW_STEP>
          <Values_List>
{angles}
          </Values_List>
        </Zenith>
      </Sun_Angles_Grid>
      <Mean_Sun_Angle>
        <ZENITH_ANGLE unit="deg">27.7431</ZENITH_ANGLE>
        <AZIMUTH_ANGLE unit="deg">152.0217</AZIMUTH_ANGLE>
      </Mean_Sun_Angle>
    </Tile_Angles>
  </n1:Geometric_Info>
  <n1:Quality_Indicators_Info metadataLevel="Standard">
    <Image_Content_QI>
      <CLOUDY_PIXEL_PERCENTAGE>{CLOUD_COVER}</CLOUDY_PIXEL_PERCENTAGE>
{content}
    </Image_Content_QI>
  </n1:Quality_Indicators_Info>
</n1:Level-{number}_Tile_ID>
"""


def datastrip(recipe: Recipe, image_files: Sequence[str], origin: tuple[int, int, int]) -> str:
    """`MTD_DS.xml`, in outline: no reader of pixels needs it."""
    number = recipe.level[1:]
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<n1:Level-{number}_DataStrip_ID xmlns:n1="{NAMESPACE}/S2_PDI_Level-{number}_Datastrip_Metadata.xsd">
  <n1:General_Info>
    <Datatake_Info datatakeIdentifier="GS2A_{recipe.time}_{recipe.orbit:06d}_N{recipe.baseline}">
      <SPACECRAFT_NAME>Sentinel-2A</SPACECRAFT_NAME>
    </Datatake_Info>
  </n1:General_Info>
</n1:Level-{number}_DataStrip_ID>
"""


def quality_report(recipe: Recipe, image_files: Sequence[str], origin: tuple[int, int, int]) -> str:
    """A quality report of the granule."""
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<Earth_Explorer_File>
  <Data_Block type="xml"><report date="{SENSING}" gippVersion="1.0" globalStatus="PASSED"/></Data_Block>
</Earth_Explorer_File>
"""


def manifest(entries: Sequence[tuple[str, int, str]]) -> str:
    """`manifest.safe`: every file with its size and MD5."""
    objects = "\n".join(
        f"""    <dataObject ID="File_{index}">
      <byteStream mimeType="application/octet-stream" size="{size}">
        <fileLocation href="{href}" locatorType="URL"/>
        <checksum checksumName="MD5">{digest}</checksum>
      </byteStream>
    </dataObject>"""
        for index, (href, size, digest) in enumerate(entries)
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<xfdu:XFDU xmlns:xfdu="urn:ccsds:schema:xfdu:1"
           version="esa/safe/sentinel/1.1/sentinel-2/msi/archive_l2a_user_product">
  <informationPackageMap/>
  <metadataSection/>
  <dataObjectSection>
{objects}
  </dataObjectSection>
</xfdu:XFDU>
"""
