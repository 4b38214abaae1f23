"""Reading, surveying and writing videos; what every generator that works on videos shares.

PyAV and Pillow (the extra `video`) are imported where they are used, in worker processes.
"""
