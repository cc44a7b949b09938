"""Tests in a real browser; a package, so that fixtures can belong to all of them and end with the last one."""
