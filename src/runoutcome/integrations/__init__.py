"""Background runs in other packages: one module for each, imported on its own, with the extra of the same name."""
