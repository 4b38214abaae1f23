"""The document tree of a PDF: characters and drawings of its pages, and what they make up."""
