"""Prefect flows, deployments and the command line `synthmill`."""

import os

# Prefect's client and server send usage reports unless these variables are set.
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
