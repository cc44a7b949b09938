"""The buttons of a development server."""
