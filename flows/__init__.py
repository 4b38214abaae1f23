"""Prefect flows, deployments and the command line `synthmill`."""

import os

# Prefect's client and server report usage unless they are told not to.
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
