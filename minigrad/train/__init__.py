"""The one training loop: run folders, exact resume, progress, reports."""
