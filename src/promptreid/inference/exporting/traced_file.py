"""Writing a retrieval graph as ONNX or as a program of `torch.export`."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import json
import logging
import warnings
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import torch

from promptreid.errors import ConfigError, ModelError, PromptReIDError, first_line
from promptreid.inference.exporting.retrieval_graph import RetrievalGraph

KEY = "promptreid"
"""Key of the metadata in an ONNX file; other programs give meaning to keys such as "names"."""
PT2_FILE = "promptreid.json"
"""Name of the metadata inside a .pt2 file."""
OUTPUT = "embeddings"

_INSTALL = "pip install 'promptreid[export]'"
_LARGEST_BATCH = 4096
_LARGEST_FILE = (1 << 31) - (1 << 20)
"""Bytes of weights that fit into one ONNX file, whose format ends at 2 GiB."""


def need(module: str) -> Any:
    """Import a package of the extra `export`.

    Raises:
        ConfigError: It is not installed; the command that installs it is said.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise  # the package is there, something it needs is not: that is not ours to explain
        raise ConfigError(
            f"Exporting to ONNX needs {module}, which is not installed: {_INSTALL}"
        ) from error


def input_names(graph: RetrievalGraph) -> list[str]:
    """Return the names of what goes into a file, in order."""
    return ["images", *graph.side_inputs]


def write_onnx(
    graph: RetrievalGraph, path: Path, metadata: Mapping[str, Any], *, opset: int
) -> None:
    """Write one ONNX file, whose first dimension `batch` is free.

    Args:
        graph: What to write.
        path: Where; what is there is replaced.
        metadata: JSON-ready; stands under the one key "promptreid".
        opset: Version of the operators.

    Raises:
        ConfigError: A package is not installed, or torch is older than its way to ONNX.
        ModelError: The weights do not fit into one file, or the model cannot be written.
    """
    for package in ("onnx", "onnxscript"):
        need(package)
    if "dynamic_shapes" not in inspect.signature(torch.onnx.export).parameters:
        raise ConfigError(
            f"torch {torch.__version__} cannot write ONNX from a program of torch.export, which "
            "newer versions can: take the one of constraints.txt, or write a .pt2 or .pth file."
        )
    size = sum(tensor.numel() * tensor.element_size() for tensor in graph.state_dict().values())
    if size > _LARGEST_FILE:
        raise ModelError(
            f"The weights take {size / 1e9:.1f} GB, and one ONNX file holds 2.1 GB. Write 16 bits "
            "(--half), or a .pt2 file."
        )
    with _tracing():
        converted = torch.onnx.export(
            graph,
            graph.example(2),  # of one image the batch would be taken for a constant
            dynamo=True,
            dynamic_shapes=_free_batch(graph),
            input_names=input_names(graph),
            output_names=[OUTPUT],
            opset_version=opset,
            verbose=False,
        )
        assert converted is not None
        converted.model.metadata_props[KEY] = json.dumps(metadata)
        converted.save(path, external_data=False)


def write_pt2(graph: RetrievalGraph, path: Path, metadata: Mapping[str, Any]) -> None:
    """Write a program of `torch.export`, which the same version of torch reads without promptreid.

    Args:
        graph: What to write.
        path: Where; what is there is replaced.
        metadata: JSON-ready; stands in the file as `PT2_FILE`.

    Raises:
        ModelError: The model cannot be written.
    """
    with _tracing():
        program = torch.export.export(
            graph, graph.example(2), dynamic_shapes=_free_batch(graph), strict=False
        )
        with path.open("w+b") as file:
            torch.export.save(program, file, extra_files={PT2_FILE: json.dumps(metadata)})


def _free_batch(graph: RetrievalGraph) -> tuple[Any, ...]:
    """Say that the first dimension of every input is one and the same, called `batch`."""
    batch = torch.export.Dim("batch", min=1, max=_LARGEST_BATCH)
    return tuple({0: batch} for _ in input_names(graph))


@contextlib.contextmanager
def _tracing() -> Generator[None]:
    """Trace without gradients and without the converter's talk; what fails becomes a sentence."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (PromptReIDError, OSError, KeyboardInterrupt):
        raise
    except Exception as error:  # the converters raise many kinds, none of them documented
        raise ModelError(
            f"This model could not be written by torch {torch.__version__}: "
            f"{type(error).__name__}: {first_line(error)}."
        ) from error
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
