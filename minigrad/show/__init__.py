"""What a person sees: report pages and their pictures, progress in a terminal. Knows nothing of training.

``page.py`` builds a page and ``pictures.py`` what stands on it; ``progress.py`` is the bar with the time left.
"""
