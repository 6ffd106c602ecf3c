"""Points GeoDjango at the GDAL and GEOS that the pyogrio and shapely wheels carry."""

import importlib.util
import os
from pathlib import Path


def scrub_environment() -> None:
    """Removes inherited PROJ and GDAL data folders: another version's data breaks every wheel."""
    for name in ("PROJ_DATA", "PROJ_LIB", "GDAL_DATA", "GDAL_DRIVER_PATH"):
        os.environ.pop(name, None)
    os.environ.setdefault("GDAL_DISABLE_READDIR_ON_OPEN", "EMPTY_DIR")


def library_in_wheel(package: str, stem: str) -> str | None:
    """The path of `stem-*.so*` in the package's `.libs` folder, or None: then Django searches the system."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    libs = Path(spec.origin).parent.parent / f"{package}.libs"
    found = sorted(libs.glob(f"{stem}-*.so*"))
    return str(found[0]) if found else None
