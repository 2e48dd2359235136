"""The options of sessions: their names and types for editors and type checkers, and their structs for the library."""

from __future__ import annotations

import ctypes
from typing import Any, Iterable, List, Optional, Sequence, Tuple, TypedDict, Union

from . import _abi
from ._library import Error, options, token_ids, utf8

CACHES = {"automatic": 0, "f32": 1, "f16": 2, "bf16": 3, "q8_0": 4}


class SamplingOptions(TypedDict, total=False):
    """How the next token is chosen. Without any option it is always the likeliest one."""

    temperature: float  # 0 (default): the likeliest token
    top_p: float  # keep the likeliest tokens that together reach it, 0 to 1; 1 (default): all
    min_p: float  # drop tokens less likely than this times the likeliest, 0 to 1; 0 (default): none
    top_k: int  # keep so many; 0 (default): all
    repetition_penalty: float  # divides or multiplies logits of tokens seen, above 0; 1 (default): none
    frequency_penalty: float  # subtracted from a logit for each time its token was seen; 0 (default)
    presence_penalty: float  # subtracted from the logit of a token that was seen; 0 (default)
    penalty_window: int  # how many of the last tokens count as seen; 0 (default): 256
    seed: int  # 0 (default) to 2**64 - 1; the same seed draws the same tokens from the same logits


class StopOptions(TypedDict, total=False):
    """Where generation ends, beside the end of the context."""

    stop: Optional[Union[str, Sequence[str]]]  # generation ends where this text, or one of these texts, appears
    stop_tokens: Sequence[int]  # further stop tokens
    ignore_stop_tokens: bool  # go on past the model's own stop tokens; False by default


class SessionOptions(SamplingOptions, StopOptions, total=False):
    """All options of a session. Every one may be left out."""

    context_length: int  # tokens the session can hold; 0 (default): the model's, at most 8192
    cache: str  # "automatic" (default), "f32", "f16", "bf16" or "q8_0"
    chunk_rows: int  # at most so many prompt tokens go through the model together; 0 (default): 512
    top_logprobs: int  # 1 to 20: keep so many for read_logprobs(); 0 (default): none
    trace_routes: bool  # keep every choice of experts for read_routes(); False by default
    count_routes: bool  # keep totals for route_totals(); False by default


def sampling_struct(temperature: float = 0.0, top_p: float = 1.0, min_p: float = 0.0, top_k: int = 0,
                    repetition_penalty: float = 1.0, frequency_penalty: float = 0.0, presence_penalty: float = 0.0,
                    penalty_window: int = 0, seed: int = 0) -> Any:
    return options(_abi.fathom_sampling_options, temperature=temperature, top_p=top_p, min_p=min_p, top_k=top_k,
                   repetition_penalty=repetition_penalty, frequency_penalty=frequency_penalty,
                   presence_penalty=presence_penalty, penalty_window=penalty_window, seed=seed)


def _stop_texts(stop: Any) -> List[bytes]:
    if stop is None:
        return []
    if isinstance(stop, str):  # a sequence of letters too, which nobody means
        return [utf8(stop, "stop")]
    if isinstance(stop, (bytes, bytearray)) or not isinstance(stop, Iterable):
        raise TypeError(f"stop is a {type(stop).__name__}, expected str or a sequence of str")
    return [utf8(each, f"stop[{at}]") for at, each in enumerate(stop)]


def stop_struct(stop: Optional[Union[str, Sequence[str]]] = (), stop_tokens: Sequence[int] = (),
                ignore_stop_tokens: bool = False) -> Tuple[Any, Any]:
    """The struct, and what it points to."""
    texts = _stop_texts(stop)
    strings = (_abi.fathom_string * max(len(texts), 1))(*[_abi.fathom_string(each, len(each)) for each in texts])
    tokens, count = token_ids(stop_tokens, "stop_tokens")
    made = options(_abi.fathom_stop_options, ignore_stop_tokens=bool(ignore_stop_tokens), tokens=tokens, token_count=count,
                   strings=strings, string_count=len(texts))
    return made, (texts, strings, tokens)


def session_struct(context_length: int = 0, cache: str = "automatic", chunk_rows: int = 0, top_logprobs: int = 0,
                   trace_routes: bool = False, count_routes: bool = False, stop: Optional[Union[str, Sequence[str]]] = (),
                   stop_tokens: Sequence[int] = (), ignore_stop_tokens: bool = False, **sampling: Any) -> Tuple[Any, Any]:
    """The struct, and what it points to."""
    if cache not in CACHES:
        raise Error("invalid_argument", f"cache is {cache!r}, expected one of {', '.join(CACHES)}")
    chosen = sampling_struct(**sampling)
    ends, kept = stop_struct(stop, stop_tokens, ignore_stop_tokens)
    made = options(_abi.fathom_session_options, context_length=context_length, cache=CACHES[cache], chunk_rows=chunk_rows,
                   top_logprobs=top_logprobs, trace_routes=bool(trace_routes), count_routes=bool(count_routes),
                   sampling=ctypes.pointer(chosen), stop=ctypes.pointer(ends))
    return made, (chosen, ends, kept)
