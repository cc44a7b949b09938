"""Cache files as entries of MkDocs' file collection, published by hard links."""

from __future__ import annotations

import os

from mkdocs.structure.files import File

from mkdocs_gptimage.publish.link import link_file


class LinkedFile(File):
    """A file of the cache that is put into the site by a link."""

    @property
    def src_path(self) -> str:
        """As every file has it; ours are given by URIs, which MkDocs' own setter takes for paths, one object each."""
        return os.path.normpath(self.src_uri)

    @src_path.setter
    def src_path(self, value: str) -> None:
        self.src_uri = value

    @classmethod
    def beside(cls, other: File, uri: str, path: str) -> LinkedFile:
        """A generated file as another one is; asking MkDocs' configuration for each of them would take longer."""
        file = cls(uri, None, other.dest_dir, other.use_directory_urls, inclusion=other.inclusion)
        file.generated_by, file.abs_src_path = other.generated_by, path
        return file

    def copy_file(self, dirty: bool = False) -> None:  # noqa: ARG002 - linking is cheaper than asking
        assert self.abs_src_path is not None
        link_file(self.abs_src_path, self.abs_dest_path)
