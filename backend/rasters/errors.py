"""What can be wrong with a file, in the user's words: each code with its message and its remedy."""

from typing import Any

from backend.core.errors import Invalid

REFUSALS: dict[str, tuple[str, str]] = {
    "raster.not_geotiff": (
        "This is not a GeoTIFF.",
        "Save it as GeoTIFF (in QGIS: Export, Save As; or gdal_translate -of GTiff) and upload that.",
    ),
    "raster.no_crs": (
        "This file has no coordinate system.",
        "Choose one, or upload its .prj or .aux.xml beside it.",
    ),
    "raster.no_georeference": (
        "This file does not say where it lies.",
        "Upload its world file (.tfw) beside it, or add ground control in your GIS and save it again.",
    ),
    "raster.only_gcps": (
        "This file is placed by ground control points alone.",
        "Warp it first (in QGIS: Raster, Warp; or gdalwarp -t_srs EPSG:...) and upload the result.",
    ),
    "raster.unsupported_crs": (
        "Its coordinate system has no way to longitude and latitude on Earth.",
        "Reproject it in your GIS, for example to UTM, and upload that; or choose another coordinate system.",
    ),
    "raster.out_of_world": (
        "With this coordinate system it lies outside the world.",
        "The coordinate system is probably the wrong one. Choose another.",
    ),
    "raster.off_earth": (
        "Parts of it lie where there is no Earth in its coordinate system.",
        "Cut it to the part that lies on the Earth, or reproject that part, and upload the result.",
    ),
    "raster.too_large": (
        "It claims more pixels than can be handled.",
        "Cut it into parts of at most 400,000 px a side and 100 thousand million px, and upload those.",
    ),
    "raster.too_many_bands": ("It has more than 20 bands.", "Save the bands that you need as a new GeoTIFF."),
    "raster.unsupported_dtype": (
        "Its pixels are complex numbers or of a type that cannot be shown.",
        "Save it as uint8, uint16, int16 or float32 and upload that.",
    ),
    "raster.corrupt": (
        "It is damaged or cut off: not all of its pixels can be read.",
        "Upload it again; if that does not help, get a fresh copy from its source.",
    ),
    "raster.too_demanding": (
        "Its inner structure asks for more memory or time than one file may.",
        "Save it again as a tiled GeoTIFF (gdal_translate -co TILED=YES) and upload that.",
    ),
    "raster.reaches_out": (
        "This file asks for other files to be opened.",
        "Save it again without links to other files (gdal_translate -co COPY_SRC_OVERVIEWS=NO) and upload that.",
    ),
    "raster.empty": ("All of its pixels are nodata.", "Look whether its nodata value is right and save it again."),
    "raster.missing": ("The file is not there any more.", "Put it back, or remove this raster and upload it again."),
    "raster.cancelled": ("Its preparation was cancelled.", "Press Try again to prepare it."),
    "raster.failed": (
        "Something went wrong on the server while it was prepared.",
        "Press Try again; if it stays, tell your administrator.",
    ),
    "raster.no_disk": (
        "There is not enough room on the server's disk.",
        "Ask your administrator for room, then press Try again.",
    ),
}


class RasterRefusedError(Invalid):
    """A file that cannot be used as it is; `remedy` says what to do."""

    def __init__(self, code: str) -> None:
        said, self.remedy = REFUSALS[code]
        super().__init__(f"{said} {self.remedy}", code=code)

    def as_row(self) -> dict[str, Any]:
        """What the raster's card shows."""
        return {"code": self.code, "message": REFUSALS[self.code][0], "remedy": self.remedy}
