"""Documents as text: reading, cutting into passages, and a corpus of them on disk.

Shared by the generators that start from somebody's documents.
"""
