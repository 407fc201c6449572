"""Sphinx settings of the documentation. `make docs` builds it; every warning is an error."""

from importlib.metadata import version as installed_version

project = "Fetal-Health"
author = "The authors of Fetal-Health"
release = installed_version("fetal-health")
extensions = ["myst_parser"]
exclude_patterns = ["evidence/oof"]
nitpicky = True
highlight_language = "none"
myst_heading_anchors = 4

html_theme = "furo"
html_title = f"Fetal-Health {release}"
html_copy_source = False
html_show_sourcelink = False
html_use_index = False
html_show_copyright = False
