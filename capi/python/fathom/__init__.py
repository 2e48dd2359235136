"""fathom: large language models on CPUs, inside your process."""

from ._batch import Batch, BatchResult
from ._generation import Generation, Timings, Usage
from ._library import Error, library as _library
from ._model import Model, Runtime
from ._options import SamplingOptions, SessionOptions, StopOptions
from ._session import Route, Session, StepResult

__version__: str = _library.fathom_version().decode()
__all__ = ["Batch", "BatchResult", "Error", "Generation", "Model", "Route", "Runtime", "SamplingOptions", "Session",
           "SessionOptions", "StepResult", "StopOptions", "Timings", "Usage", "__version__"]
