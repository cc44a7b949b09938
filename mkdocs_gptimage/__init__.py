"""Pictures as code for documentation: an MkDocs plugin that keeps what it generates."""
