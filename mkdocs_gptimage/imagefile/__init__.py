"""Image files as bytes: format, integrity and metadata."""
