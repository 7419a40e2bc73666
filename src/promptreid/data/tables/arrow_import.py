"""pyarrow, which reads and writes Parquet files, imported where it is needed."""

from __future__ import annotations

from types import ModuleType

from promptreid.errors import DataError


def import_pyarrow(*, instead: str = "") -> tuple[ModuleType, ModuleType]:
    """Import pyarrow and its module for Parquet.

    Args:
        instead: What can be done without it, such as "use CSV", for the error.

    Raises:
        DataError: pyarrow is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        otherwise = f", or {instead}" if instead else ""
        raise DataError(
            f"Parquet files need pyarrow: pip install 'promptreid[parquet]'{otherwise}."
        ) from error
    return pyarrow, pyarrow.parquet
