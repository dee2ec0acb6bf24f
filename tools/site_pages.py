"""Say which files of the repository are pages of the site: a hook of mkdocs, see mkdocs.yml.

mkdocs takes one folder of documents. Ours lie where readers of the repository look for them, and a
page of the site has the path of its file, so that every link between them works in both.
"""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PAGES = (
    "*.md",
    "docs/*.md",
    "datasets/*.md",
    "integrations/*/README.md",
    "signgen/assets/mini/README.md",
)
LINKED = (
    "docs/pictures/*",
    "docs/*.ipynb",
    "LICENSE",
    "CITATION.cff",
    "constraints.txt",
    "environment.yml",
)
"""What pages show or link to, copied as it is."""


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Replace what mkdocs found in its folder by our pages, under their own paths."""
    root = Path(config.config_file_path).parent
    for file in [file for file in files if file.src_dir == config.docs_dir]:
        files.remove(file)
    for pattern in (*PAGES, *LINKED):
        for path in sorted(root.glob(pattern)):
            name = path.relative_to(root).as_posix()
            files.append(File(name, str(root), config.site_dir, config.use_directory_urls))
    return files
