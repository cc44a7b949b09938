"""The adapter for MkDocs and ProperDocs."""
