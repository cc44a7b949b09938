"""Plan → pictures in the store: submit, poll, download."""
