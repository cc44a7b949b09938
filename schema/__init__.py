"""Data only: the JSON schema of an image spec."""
