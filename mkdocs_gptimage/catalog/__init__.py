"""What the pages of a site ask for, and where."""
