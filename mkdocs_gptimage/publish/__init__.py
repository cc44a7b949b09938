"""Store → files and attributes of the site."""
