"""Generated from fathom.h by capi/generate.py. Do not edit."""

from ctypes import (CFUNCTYPE, POINTER, Structure, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t, c_uint8,
                    c_uint32, c_uint64, c_void_p)

FATHOM_VERSION_MAJOR = 1
FATHOM_VERSION_MINOR = 0
FATHOM_VERSION_PATCH = 0
FATHOM_OK = 0
FATHOM_INVALID_ARGUMENT = 1
FATHOM_NOT_FOUND = 2
FATHOM_IO_ERROR = 3
FATHOM_CORRUPT_FILE = 4
FATHOM_UNSUPPORTED = 5
FATHOM_OUT_OF_MEMORY = 6
FATHOM_CONTEXT_FULL = 7
FATHOM_CANCELLED = 8
FATHOM_CALLBACK_FAILED = 9
FATHOM_WRONG_STATE = 10
FATHOM_INTERNAL = 11
FATHOM_BUFFER_TOO_SMALL = 12
FATHOM_MEMORY_WEIGHTS = 0
FATHOM_MEMORY_CACHE = 1
FATHOM_MEMORY_SCRATCH = 2
FATHOM_MEMORY_OTHER = 3
FATHOM_LOG_DEBUG = 0
FATHOM_LOG_INFO = 1
FATHOM_LOG_WARNING = 2
FATHOM_LOG_ERROR = 3
FATHOM_CACHE_AUTOMATIC = 0
FATHOM_CACHE_F32 = 1
FATHOM_CACHE_F16 = 2
FATHOM_CACHE_BF16 = 3
FATHOM_CACHE_Q8_0 = 4
FATHOM_FINGERPRINT_SIZE = 32
FATHOM_ENCODE_PARSE_SPECIAL = 1
FATHOM_ENCODE_ADD_SPECIAL = 2
FATHOM_DECODE_KEEP_SPECIAL = 1
FATHOM_STOP_NONE = 0
FATHOM_STOP_TOKEN = 1
FATHOM_STOP_STRING = 2
FATHOM_STOP_CONTEXT_FULL = 3
FATHOM_STOP_CANCELLED = 4
FATHOM_NO_NEW_TOKENS = -1

fathom_progress = CFUNCTYPE(c_int32, c_void_p, c_double, c_void_p)

fathom_text_sink = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_size_t)

fathom_write = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_size_t)

fathom_read = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_size_t)


class fathom_allocator(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("user", c_void_p),
        ("allocate", CFUNCTYPE(c_void_p, c_void_p, c_size_t, c_size_t, c_int32)),
        ("release", CFUNCTYPE(None, c_void_p, c_void_p, c_size_t, c_size_t, c_int32)),
    ]


class fathom_task_system(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("concurrency", c_int32),
        ("user", c_void_p),
        ("run", CFUNCTYPE(c_int32, c_void_p, c_int32, CFUNCTYPE(None, c_void_p, c_int32), c_void_p)),
    ]


class fathom_file_system(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("user", c_void_p),
        ("open", CFUNCTYPE(c_int32, c_void_p, c_void_p, c_size_t, POINTER(c_void_p))),
        ("size", CFUNCTYPE(c_int32, c_void_p, c_void_p, POINTER(c_uint64))),
        ("read_at", CFUNCTYPE(c_int32, c_void_p, c_void_p, c_uint64, c_void_p, c_size_t)),
        ("map", CFUNCTYPE(c_int32, c_void_p, c_void_p, POINTER(c_void_p))),
        ("unmap", CFUNCTYPE(None, c_void_p, c_void_p, c_void_p)),
        ("close", CFUNCTYPE(None, c_void_p, c_void_p)),
    ]


class fathom_log_sink(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("user", c_void_p),
        ("write", CFUNCTYPE(None, c_void_p, c_int32, c_void_p, c_size_t)),
    ]


class fathom_runtime_options(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("threads", c_int32),
        ("isa_limit", c_char_p),
        ("isa_limit_size", c_size_t),
        ("allocator", POINTER(fathom_allocator)),
        ("tasks", POINTER(fathom_task_system)),
        ("files", POINTER(fathom_file_system)),
        ("log", POINTER(fathom_log_sink)),
        ("invariant", c_uint32),
        ("reserved", c_uint32),
        ("streams", c_char_p),
        ("streams_size", c_size_t),
    ]


class fathom_runtime_info(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("threads", c_int32),
        ("isa", c_char_p),
        ("resident_bytes", c_int64),
        ("peak_resident_bytes", c_int64),
    ]


class fathom_model_options(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("verify", c_uint32),
        ("progress", fathom_progress),
        ("progress_user", c_void_p),
        ("lazy", c_uint32),
        ("read", c_uint32),
    ]


class fathom_memory_file(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("name_size", c_size_t),
        ("data", c_void_p),
        ("data_size", c_size_t),
    ]


class fathom_model_info(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("has_tokenizer", c_uint32),
        ("family", c_char_p),
        ("container", c_char_p),
        ("name", c_char_p),
        ("chat_format", c_char_p),
        ("layers", c_int64),
        ("hidden_size", c_int64),
        ("vocab_size", c_int64),
        ("context_length", c_int64),
        ("heads", c_int64),
        ("kv_heads", c_int64),
        ("experts", c_int64),
        ("experts_per_token", c_int64),
        ("parameters", c_int64),
        ("weight_bytes", c_int64),
        ("cache_values_per_token", c_int64),
        ("automatic_cache", c_int32),
        ("bos_token", c_int32),
        ("eos_token", c_int32),
        ("reserved", c_int32),
        ("streams", c_char_p),
    ]


class fathom_memory_needs(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("mapped_bytes", c_int64),
        ("weights_bytes", c_int64),
        ("cache_bytes", c_int64),
        ("scratch_bytes", c_int64),
        ("other_bytes", c_int64),
        ("peak_bytes", c_int64),
    ]


class fathom_message(Structure):
    _fields_ = [
        ("role", c_char_p),
        ("role_size", c_size_t),
        ("content", c_char_p),
        ("content_size", c_size_t),
    ]


class fathom_chat_options(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("thinking", c_uint32),
        ("format", c_char_p),
        ("format_size", c_size_t),
        ("no_generation_prompt", c_uint32),
        ("reserved", c_uint32),
    ]


class fathom_sampling_options(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("temperature", c_float),
        ("top_p", c_float),
        ("min_p", c_float),
        ("repetition_penalty", c_float),
        ("frequency_penalty", c_float),
        ("presence_penalty", c_float),
        ("top_k", c_int32),
        ("penalty_window", c_int32),
        ("reserved", c_uint32),
        ("seed", c_uint64),
    ]


class fathom_string(Structure):
    _fields_ = [
        ("data", c_char_p),
        ("size", c_size_t),
    ]


class fathom_stop_options(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("ignore_stop_tokens", c_uint32),
        ("tokens", POINTER(c_int32)),
        ("token_count", c_size_t),
        ("strings", POINTER(fathom_string)),
        ("string_count", c_size_t),
    ]


class fathom_session_options(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("cache", c_int32),
        ("context_length", c_int64),
        ("sampling", POINTER(fathom_sampling_options)),
        ("stop", POINTER(fathom_stop_options)),
        ("chunk_rows", c_int32),
        ("top_logprobs", c_int32),
        ("trace_routes", c_uint32),
        ("count_routes", c_uint32),
    ]


class fathom_step_options(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("budget_us", c_int64),
        ("max_new_tokens", c_int64),
    ]


class fathom_step_result(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("stop", c_int32),
        ("prompt_tokens", c_int64),
        ("new_tokens", c_int64),
        ("queued_tokens", c_int64),
        ("longest_unit_us", c_double),
    ]


class fathom_logprob(Structure):
    _fields_ = [
        ("token", c_int32),
        ("logprob", c_float),
    ]


class fathom_route(Structure):
    _fields_ = [
        ("position", c_int64),
        ("layer", c_int32),
        ("expert", c_int32),
        ("gate", c_float),
        ("reserved", c_int32),
    ]


class fathom_batch_options(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("rows", c_int32),
        ("sessions", c_int32),
        ("reserved", c_uint32),
    ]


class fathom_batch_result(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("sessions", c_int32),
        ("active", c_int32),
        ("failed", c_int32),
        ("prompt_tokens", c_int64),
        ("new_tokens", c_int64),
        ("queued_tokens", c_int64),
        ("longest_unit_us", c_double),
    ]


def declare(library):
    """Gives every function its types."""
    library.fathom_version.restype = c_char_p
    library.fathom_version.argtypes = []
    library.fathom_status_name.restype = c_char_p
    library.fathom_status_name.argtypes = [c_int32]
    library.fathom_last_error.restype = c_char_p
    library.fathom_last_error.argtypes = []
    library.fathom_runtime_create.restype = c_int32
    library.fathom_runtime_create.argtypes = [POINTER(fathom_runtime_options), POINTER(c_void_p)]
    library.fathom_runtime_release.restype = None
    library.fathom_runtime_release.argtypes = [c_void_p]
    library.fathom_runtime_get_info.restype = c_int32
    library.fathom_runtime_get_info.argtypes = [c_void_p, POINTER(fathom_runtime_info)]
    library.fathom_model_open.restype = c_int32
    library.fathom_model_open.argtypes = [c_void_p, c_char_p, c_size_t, POINTER(fathom_model_options), POINTER(c_void_p)]
    library.fathom_model_open_memory.restype = c_int32
    library.fathom_model_open_memory.argtypes = [c_void_p, POINTER(fathom_memory_file), c_size_t, POINTER(fathom_model_options), POINTER(c_void_p)]
    library.fathom_model_release.restype = None
    library.fathom_model_release.argtypes = [c_void_p]
    library.fathom_model_get_info.restype = c_int32
    library.fathom_model_get_info.argtypes = [c_void_p, POINTER(fathom_model_info)]
    library.fathom_model_text.restype = c_int32
    library.fathom_model_text.argtypes = [c_void_p, c_char_p, c_size_t, c_char_p, c_size_t, POINTER(c_size_t)]
    library.fathom_model_text_key.restype = c_int32
    library.fathom_model_text_key.argtypes = [c_void_p, c_size_t, c_char_p, c_size_t, POINTER(c_size_t)]
    library.fathom_model_fingerprint.restype = c_int32
    library.fathom_model_fingerprint.argtypes = [c_void_p, POINTER(c_uint8)]
    library.fathom_model_memory_needs.restype = c_int32
    library.fathom_model_memory_needs.argtypes = [c_void_p, c_char_p, c_size_t, POINTER(fathom_model_options), POINTER(fathom_memory_needs)]
    library.fathom_encode.restype = c_int32
    library.fathom_encode.argtypes = [c_void_p, c_char_p, c_size_t, c_uint32, POINTER(c_int32), c_size_t, POINTER(c_size_t)]
    library.fathom_decode.restype = c_int32
    library.fathom_decode.argtypes = [c_void_p, POINTER(c_int32), c_size_t, c_uint32, c_char_p, c_size_t, POINTER(c_size_t)]
    library.fathom_find_token.restype = c_int32
    library.fathom_find_token.argtypes = [c_void_p, c_char_p, c_size_t, POINTER(c_int32)]
    library.fathom_encode_chat.restype = c_int32
    library.fathom_encode_chat.argtypes = [c_void_p, POINTER(fathom_message), c_size_t, POINTER(fathom_chat_options), POINTER(c_int32), c_size_t, POINTER(c_size_t)]
    library.fathom_model_recommended_sampling.restype = c_int32
    library.fathom_model_recommended_sampling.argtypes = [c_void_p, POINTER(fathom_sampling_options)]
    library.fathom_session_create.restype = c_int32
    library.fathom_session_create.argtypes = [c_void_p, POINTER(fathom_session_options), POINTER(c_void_p)]
    library.fathom_session_release.restype = None
    library.fathom_session_release.argtypes = [c_void_p]
    library.fathom_session_memory_needs.restype = c_int32
    library.fathom_session_memory_needs.argtypes = [c_void_p, POINTER(fathom_session_options), POINTER(fathom_memory_needs)]
    library.fathom_session_append.restype = c_int32
    library.fathom_session_append.argtypes = [c_void_p, POINTER(c_int32), c_size_t]
    library.fathom_session_step.restype = c_int32
    library.fathom_session_step.argtypes = [c_void_p, POINTER(fathom_step_options), POINTER(fathom_step_result)]
    library.fathom_session_generate.restype = c_int32
    library.fathom_session_generate.argtypes = [c_void_p, c_int64, fathom_text_sink, c_void_p, POINTER(fathom_step_result)]
    library.fathom_session_cancel.restype = None
    library.fathom_session_cancel.argtypes = [c_void_p]
    library.fathom_session_read_text.restype = c_int32
    library.fathom_session_read_text.argtypes = [c_void_p, c_char_p, c_size_t, POINTER(c_size_t)]
    library.fathom_session_read_tokens.restype = c_int32
    library.fathom_session_read_tokens.argtypes = [c_void_p, POINTER(c_int32), c_size_t, POINTER(c_size_t)]
    library.fathom_session_read_logprobs.restype = c_int32
    library.fathom_session_read_logprobs.argtypes = [c_void_p, POINTER(fathom_logprob), c_size_t, POINTER(c_size_t)]
    library.fathom_session_tokens.restype = c_int32
    library.fathom_session_tokens.argtypes = [c_void_p, POINTER(c_int32), c_size_t, POINTER(c_size_t)]
    library.fathom_session_logits.restype = c_int32
    library.fathom_session_logits.argtypes = [c_void_p, POINTER(POINTER(c_float)), POINTER(c_size_t)]
    library.fathom_session_set_sampling.restype = c_int32
    library.fathom_session_set_sampling.argtypes = [c_void_p, POINTER(fathom_sampling_options)]
    library.fathom_session_set_stop.restype = c_int32
    library.fathom_session_set_stop.argtypes = [c_void_p, POINTER(fathom_stop_options)]
    library.fathom_session_sync.restype = c_int32
    library.fathom_session_sync.argtypes = [c_void_p, POINTER(c_int32), c_size_t, POINTER(c_size_t)]
    library.fathom_session_rewind.restype = c_int32
    library.fathom_session_rewind.argtypes = [c_void_p, c_size_t]
    library.fathom_session_fork.restype = c_int32
    library.fathom_session_fork.argtypes = [c_void_p, POINTER(c_void_p)]
    library.fathom_session_reset.restype = c_int32
    library.fathom_session_reset.argtypes = [c_void_p]
    library.fathom_session_save.restype = c_int32
    library.fathom_session_save.argtypes = [c_void_p, fathom_write, c_void_p]
    library.fathom_session_saved_bytes.restype = c_int32
    library.fathom_session_saved_bytes.argtypes = [c_void_p, POINTER(c_uint64)]
    library.fathom_session_restore.restype = c_int32
    library.fathom_session_restore.argtypes = [c_void_p, fathom_read, c_void_p]
    library.fathom_session_read_routes.restype = c_int32
    library.fathom_session_read_routes.argtypes = [c_void_p, POINTER(fathom_route), c_size_t, POINTER(c_size_t)]
    library.fathom_session_route_totals.restype = c_int32
    library.fathom_session_route_totals.argtypes = [c_void_p, c_int32, POINTER(c_uint64), POINTER(c_double), c_size_t, POINTER(c_size_t)]
    library.fathom_batch_create.restype = c_int32
    library.fathom_batch_create.argtypes = [c_void_p, POINTER(fathom_batch_options), POINTER(c_void_p)]
    library.fathom_batch_release.restype = None
    library.fathom_batch_release.argtypes = [c_void_p]
    library.fathom_batch_add.restype = c_int32
    library.fathom_batch_add.argtypes = [c_void_p, c_void_p]
    library.fathom_batch_remove.restype = c_int32
    library.fathom_batch_remove.argtypes = [c_void_p, c_void_p]
    library.fathom_batch_step.restype = c_int32
    library.fathom_batch_step.argtypes = [c_void_p, POINTER(fathom_step_options), POINTER(fathom_batch_result)]
    library.fathom_batch_get_result.restype = c_int32
    library.fathom_batch_get_result.argtypes = [c_void_p, c_void_p, POINTER(fathom_step_result)]
