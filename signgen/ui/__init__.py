"""A page for those who do not type commands: render, score, look into poses.

It calls what the commands call and computes nothing itself. Gradio is imported in this package
alone, and only when a page is opened.
"""
