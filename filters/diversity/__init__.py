"""One file a diversity filter; the file's name is the name a recipe gives."""
