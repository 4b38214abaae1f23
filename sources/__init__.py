"""Sources of work items, one file a kind; the file's name is the `type` a recipe gives."""
