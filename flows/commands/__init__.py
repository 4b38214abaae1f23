"""The commands, one file each (or one a family); `synthmill.flows.cli` finds them by name."""
