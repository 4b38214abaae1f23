"""How the embedded back end does this generator's work: rules that read English prose.

They know some relations that reference works state in plain sentences, and nothing of any corpus.
"""
