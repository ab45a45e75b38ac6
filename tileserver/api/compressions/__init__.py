"""Compressions that people order: of products that they send, or of Items of sources that are allowed."""
