"""What was submitted and is not stored yet, and which runs are alive."""
