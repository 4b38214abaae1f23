"""What makes new traces out of old ones."""
