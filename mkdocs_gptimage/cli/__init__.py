"""The command line: one module a command."""

from mkdocs_gptimage.cli.group import main

__all__ = ["main"]
