"""The plugin class under the name that the entry point has."""

from mkdocs_gptimage.hosts.mkdocs.plugin import GptImagePlugin

__all__ = ["GptImagePlugin"]
