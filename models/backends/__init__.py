"""One file a back end; the file's name is the name a recipe gives."""
