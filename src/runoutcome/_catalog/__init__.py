"""The table: rows, how a code, reason or status finds its row, and users' overlays."""

from .catalog import Catalog as Catalog  # its address in pickles of 0.1.0 before its rebuilding
