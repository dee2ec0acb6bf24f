"""The report of an evaluation as JSON, text, page and LaTeX."""
