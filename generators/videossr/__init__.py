"""VideoSSR (arXiv 2511.06281): video questions with checkable answers, made without labels.

Three pretext tasks: find the span that was perturbed (anomaly grounding), count drawn shapes
(object counting), put clips back in order (temporal jigsaw).
"""
