"""Every real raster at hand is shown rightly, or refused with its reason."""

import os
from pathlib import Path
from typing import Any

import pytest

from backend.rasters.errors import REFUSALS
from tests.support.raster_table import SHOWN, lines, table

REAL = os.environ.get("EDGEWISE_TEST_DATA")
# Sets of many small tiles alike: the first few stand for all here; the command in the table's module takes every one.
ALIKE = ("tilegrid-zurich", "deadwood-finland-uav/tiles", "kampala-oam-tiles", "trees-neon-boxes")
KEPT_OF_ALIKE = 3
EXPECTED = {
    "edge-label-maker-drone/drone.tif": SHOWN,
    "edge-rasterio/RGBA.uint16.tif": SHOWN,
    "edge-rasterio/alpha.tif": SHOWN,
    "edge-rio-tiler/cog_dateline.tif": SHOWN,
    "edge-gdalraster/south-up.tif": SHOWN,
    "edge-gdal-gtiff/gtiff/int16_big_endian.tif": SHOWN,
    "edge-gdal-gtiff/gtiff/rgbsmall_JPEG_ycbcr.tif": SHOWN,
    "edge-landsat-6band-palette/lc.tif": SHOWN,
    "edge-landsat-6band-palette/L7_ETMs.tif": SHOWN,
    "aerial-nz-worldfile/aerial.tif": SHOWN,
    "atlanta-pan-spacenet/sample_geotiff.tif": SHOWN,
    "edge-rasterio/corrupt.tif": "raster.corrupt",
    "edge-gdal-gtiff/byte_truncated.tif": "raster.corrupt",
    "edge-gdal-gtiff/many_blocks_truncated.tif": "raster.too_large",
    "edge-gdal-gtiff/gtiff/huge_raster_with_ovr_huge_block.tif": "raster.too_many_bands",
    "edge-gdal-gtiff/gtiff/tiff_srs_iau_2015_30110.tif": "raster.unsupported_crs",
    "edge-rio-tiler/cog_hirise_mars.tif": "raster.unsupported_crs",
    "edge-rio-cogeo/image_geos.tif": "raster.off_earth",
    "edge-rio-cogeo/slc.tif": "raster.unsupported_dtype",
    "edge-mapchete/gcps.tif": "raster.only_gcps",
    "edge-mapchete/invalid.tif": "raster.not_geotiff",
    "edge-rasterio/all-nodata.tif": "raster.empty",
    "edge-rasterio/rotated.tif": "raster.no_crs",
    "edge-large-image/test_orient6.tif": "raster.no_georeference",
    "edge-rasterio/white-gemini-iv.vrt": "upload.not_geotiff",
}


@pytest.mark.skipif(not REAL, reason="EDGEWISE_TEST_DATA is not set")
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.timeout(900)
@pytest.mark.django_db
def test_every_real_raster_is_shown_rightly_or_refused_with_its_reason(
    settings: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.DATA_DIR = tmp_path / "data"

    found = list(lines(Path(str(REAL)), alike=ALIKE, kept=KEPT_OF_ALIKE))

    with capsys.disabled():
        print("\n" + table(found))
    outcomes = {line.name: line.outcome for line in found}
    assert {name: outcomes.get(name) for name in EXPECTED} == EXPECTED
    reasons = {SHOWN, "upload.not_geotiff", *REFUSALS}
    assert [line for line in found if line.outcome not in reasons] == []
