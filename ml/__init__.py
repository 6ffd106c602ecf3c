"""From pixels and prompts to polygons: models, encoding, decoding, vectorisation; knows no server."""
