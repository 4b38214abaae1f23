"""Reading files that may hold anything: bounded in size, decoded, with places for messages."""
