"""The text of a block → a validated spec and its digest."""
