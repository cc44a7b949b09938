"""Plans and results as text, tables, JSON and annotations."""
