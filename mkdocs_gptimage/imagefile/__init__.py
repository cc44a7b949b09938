"""Bytes of image files: their kind, whether they are whole, and their metadata."""
