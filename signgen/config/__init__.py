"""Every setting of signgen as frozen dataclasses, and their YAML. Imports no torch."""
