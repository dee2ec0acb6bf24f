"""The tabs of the page: what is on each, and which function a button calls."""
