"""COMEO: Sentinel scenes at a hundredth of their size, decoded block by block."""
