"""The questions CoTEvol asks, each with its template beside it.

Every template ends with a paragraph that begins with "Problem: ": the shipped model knows problems
and no instructions, and its chat template keeps what follows the last of these marks.
"""
