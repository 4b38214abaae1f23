"""One file a verifier; the file's name is the name a recipe gives."""
