"""A raster from its registration to viewable tiles."""
