"""What a person at the terminal sees: options in, progress, tables and rows out."""
