"""Filters: `verifiers/` judge a candidate alone, `diversity/` beside what is already there."""
