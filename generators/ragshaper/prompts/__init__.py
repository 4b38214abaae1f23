"""What models are asked: one file for each kind of work, templates beside."""
