"""What is missing, what it costs, and what became of the rest."""
