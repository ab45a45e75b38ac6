"""Tile speed against TiTiler on a COG of the same scene, both servers running in the same minutes."""
