"""fathom: large language models on CPUs, inside your process."""

from ._library import Error, library as _library
from ._model import Model, Runtime
from ._session import Batch, Route, Session, StepResult

__version__ = _library.fathom_version().decode()
__all__ = ["Batch", "Error", "Model", "Route", "Runtime", "Session", "StepResult", "__version__"]
