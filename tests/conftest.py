"""What all tests share."""

import signal

# A shell starts its background jobs deaf to SIGINT, and so would be all processes that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
