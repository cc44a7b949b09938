"""The content-addressed folder of pictures and their records."""
