"""Fenced blocks in Markdown, and the extension that finds them."""
