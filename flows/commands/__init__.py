"""The commands, one file each (or one a family); `flows.cli` finds them by name."""
