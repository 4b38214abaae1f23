"""The terminal: options, progress, tables and rows."""
