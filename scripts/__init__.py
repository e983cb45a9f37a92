"""What a person or CI runs."""
