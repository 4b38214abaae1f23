"""Parsers from files to documents, one file each; the file's name is the parser's name."""
