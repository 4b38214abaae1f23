"""VideoSSR (arXiv 2511.06281): questions with checkable answers out of any video, without labels.

Three pretext tasks: find the span that was perturbed (anomaly grounding), count drawn shapes
(object counting), put clips back in order (temporal jigsaw).
"""
