"""The pictures that a site uses, and where each is used."""
