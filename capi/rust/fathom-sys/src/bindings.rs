// Generated from fathom.h by capi/generate.py. Do not edit.
use core::ffi::{c_char, c_void};

pub const FATHOM_VERSION_MAJOR: i32 = 1;
pub const FATHOM_VERSION_MINOR: i32 = 0;
pub const FATHOM_VERSION_PATCH: i32 = 0;
pub const FATHOM_OK: i32 = 0;
pub const FATHOM_INVALID_ARGUMENT: i32 = 1;
pub const FATHOM_NOT_FOUND: i32 = 2;
pub const FATHOM_IO_ERROR: i32 = 3;
pub const FATHOM_CORRUPT_FILE: i32 = 4;
pub const FATHOM_UNSUPPORTED: i32 = 5;
pub const FATHOM_OUT_OF_MEMORY: i32 = 6;
pub const FATHOM_CONTEXT_FULL: i32 = 7;
pub const FATHOM_CANCELLED: i32 = 8;
pub const FATHOM_CALLBACK_FAILED: i32 = 9;
pub const FATHOM_WRONG_STATE: i32 = 10;
pub const FATHOM_INTERNAL: i32 = 11;
pub const FATHOM_BUFFER_TOO_SMALL: i32 = 12;
pub const FATHOM_MEMORY_WEIGHTS: i32 = 0;
pub const FATHOM_MEMORY_CACHE: i32 = 1;
pub const FATHOM_MEMORY_SCRATCH: i32 = 2;
pub const FATHOM_MEMORY_OTHER: i32 = 3;
pub const FATHOM_LOG_DEBUG: i32 = 0;
pub const FATHOM_LOG_INFO: i32 = 1;
pub const FATHOM_LOG_WARNING: i32 = 2;
pub const FATHOM_LOG_ERROR: i32 = 3;
pub const FATHOM_CACHE_AUTOMATIC: i32 = 0;
pub const FATHOM_CACHE_F32: i32 = 1;
pub const FATHOM_CACHE_F16: i32 = 2;
pub const FATHOM_CACHE_BF16: i32 = 3;
pub const FATHOM_CACHE_Q8_0: i32 = 4;
pub const FATHOM_FINGERPRINT_SIZE: usize = 32;
pub const FATHOM_ENCODE_PARSE_SPECIAL: u32 = 1;
pub const FATHOM_ENCODE_ADD_SPECIAL: u32 = 2;
pub const FATHOM_DECODE_KEEP_SPECIAL: u32 = 1;
pub const FATHOM_STOP_NONE: i32 = 0;
pub const FATHOM_STOP_TOKEN: i32 = 1;
pub const FATHOM_STOP_STRING: i32 = 2;
pub const FATHOM_STOP_CONTEXT_FULL: i32 = 3;
pub const FATHOM_STOP_CANCELLED: i32 = 4;
pub const FATHOM_NO_NEW_TOKENS: i64 = -1;

#[repr(C)]
pub struct fathom_runtime {
    _private: [u8; 0],
}

#[repr(C)]
pub struct fathom_model {
    _private: [u8; 0],
}

#[repr(C)]
pub struct fathom_session {
    _private: [u8; 0],
}

#[repr(C)]
pub struct fathom_batch {
    _private: [u8; 0],
}

pub type fathom_progress = Option<unsafe extern "C" fn(user: *mut c_void, done: f64, what: *const c_char) -> i32>;

pub type fathom_text_sink = Option<unsafe extern "C" fn(user: *mut c_void, text: *const c_char, text_size: usize) -> i32>;

pub type fathom_write = Option<unsafe extern "C" fn(user: *mut c_void, data: *const c_void, bytes: usize) -> i32>;

pub type fathom_read = Option<unsafe extern "C" fn(user: *mut c_void, data: *mut c_void, bytes: usize) -> i32>;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct fathom_allocator {
    pub struct_size: u32,
    pub reserved: u32,
    pub user: *mut c_void,
    pub allocate: Option<unsafe extern "C" fn(user: *mut c_void, bytes: usize, alignment: usize, purpose: i32) -> *mut c_void>,
    pub release: Option<unsafe extern "C" fn(user: *mut c_void, memory: *mut c_void, bytes: usize, alignment: usize, purpose: i32)>,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct fathom_task_system {
    pub struct_size: u32,
    pub concurrency: i32,
    pub user: *mut c_void,
    pub run: Option<unsafe extern "C" fn(user: *mut c_void, count: i32, task: Option<unsafe extern "C" fn(context: *mut c_void, index: i32)>, context: *mut c_void) -> i32>,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct fathom_file_system {
    pub struct_size: u32,
    pub reserved: u32,
    pub user: *mut c_void,
    pub open: Option<unsafe extern "C" fn(user: *mut c_void, path: *const c_char, path_size: usize, file: *mut *mut c_void) -> i32>,
    pub size: Option<unsafe extern "C" fn(user: *mut c_void, file: *mut c_void, bytes: *mut u64) -> i32>,
    pub read_at: Option<unsafe extern "C" fn(user: *mut c_void, file: *mut c_void, offset: u64, buffer: *mut c_void, bytes: usize) -> i32>,
    pub map: Option<unsafe extern "C" fn(user: *mut c_void, file: *mut c_void, data: *mut *const c_void) -> i32>,
    pub unmap: Option<unsafe extern "C" fn(user: *mut c_void, file: *mut c_void, data: *const c_void)>,
    pub close: Option<unsafe extern "C" fn(user: *mut c_void, file: *mut c_void)>,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct fathom_log_sink {
    pub struct_size: u32,
    pub reserved: u32,
    pub user: *mut c_void,
    pub write: Option<unsafe extern "C" fn(user: *mut c_void, level: i32, message: *const c_char, message_size: usize)>,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct fathom_runtime_options {
    pub struct_size: u32,
    pub threads: i32,
    pub isa_limit: *const c_char,
    pub isa_limit_size: usize,
    pub allocator: *const fathom_allocator,
    pub tasks: *const fathom_task_system,
    pub files: *const fathom_file_system,
    pub log: *const fathom_log_sink,
    pub invariant: u32,
    pub reserved: u32,
    pub streams: *const c_char,
    pub streams_size: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct fathom_runtime_info {
    pub struct_size: u32,
    pub threads: i32,
    pub isa: *const c_char,
    pub resident_bytes: i64,
    pub peak_resident_bytes: i64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct fathom_model_options {
    pub struct_size: u32,
    pub verify: u32,
    pub progress: fathom_progress,
    pub progress_user: *mut c_void,
    pub lazy: u32,
    pub read: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct fathom_memory_file {
    pub name: *const c_char,
    pub name_size: usize,
    pub data: *const c_void,
    pub data_size: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct fathom_model_info {
    pub struct_size: u32,
    pub has_tokenizer: u32,
    pub family: *const c_char,
    pub container: *const c_char,
    pub name: *const c_char,
    pub chat_format: *const c_char,
    pub layers: i64,
    pub hidden_size: i64,
    pub vocab_size: i64,
    pub context_length: i64,
    pub heads: i64,
    pub kv_heads: i64,
    pub experts: i64,
    pub experts_per_token: i64,
    pub parameters: i64,
    pub weight_bytes: i64,
    pub cache_values_per_token: i64,
    pub automatic_cache: i32,
    pub bos_token: i32,
    pub eos_token: i32,
    pub reserved: i32,
    pub streams: *const c_char,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct fathom_memory_needs {
    pub struct_size: u32,
    pub reserved: u32,
    pub mapped_bytes: i64,
    pub weights_bytes: i64,
    pub cache_bytes: i64,
    pub scratch_bytes: i64,
    pub other_bytes: i64,
    pub peak_bytes: i64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct fathom_message {
    pub role: *const c_char,
    pub role_size: usize,
    pub content: *const c_char,
    pub content_size: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct fathom_chat_options {
    pub struct_size: u32,
    pub thinking: u32,
    pub format: *const c_char,
    pub format_size: usize,
    pub no_generation_prompt: u32,
    pub reserved: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct fathom_sampling_options {
    pub struct_size: u32,
    pub temperature: f32,
    pub top_p: f32,
    pub min_p: f32,
    pub repetition_penalty: f32,
    pub frequency_penalty: f32,
    pub presence_penalty: f32,
    pub top_k: i32,
    pub penalty_window: i32,
    pub reserved: u32,
    pub seed: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct fathom_string {
    pub data: *const c_char,
    pub size: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct fathom_stop_options {
    pub struct_size: u32,
    pub ignore_stop_tokens: u32,
    pub tokens: *const i32,
    pub token_count: usize,
    pub strings: *const fathom_string,
    pub string_count: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct fathom_session_options {
    pub struct_size: u32,
    pub cache: i32,
    pub context_length: i64,
    pub sampling: *const fathom_sampling_options,
    pub stop: *const fathom_stop_options,
    pub chunk_rows: i32,
    pub top_logprobs: i32,
    pub trace_routes: u32,
    pub count_routes: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct fathom_step_options {
    pub struct_size: u32,
    pub reserved: u32,
    pub budget_us: i64,
    pub max_new_tokens: i64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct fathom_step_result {
    pub struct_size: u32,
    pub stop: i32,
    pub prompt_tokens: i64,
    pub new_tokens: i64,
    pub queued_tokens: i64,
    pub longest_unit_us: f64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct fathom_logprob {
    pub token: i32,
    pub logprob: f32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct fathom_route {
    pub position: i64,
    pub layer: i32,
    pub expert: i32,
    pub gate: f32,
    pub reserved: i32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct fathom_batch_options {
    pub struct_size: u32,
    pub rows: i32,
    pub sessions: i32,
    pub reserved: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct fathom_batch_result {
    pub struct_size: u32,
    pub sessions: i32,
    pub active: i32,
    pub failed: i32,
    pub prompt_tokens: i64,
    pub new_tokens: i64,
    pub queued_tokens: i64,
    pub longest_unit_us: f64,
}

extern "C" {
    pub fn fathom_version() -> *const c_char;
    pub fn fathom_status_name(status: i32) -> *const c_char;
    pub fn fathom_last_error() -> *const c_char;
    pub fn fathom_runtime_create(options: *const fathom_runtime_options, runtime: *mut *mut fathom_runtime) -> i32;
    pub fn fathom_runtime_release(runtime: *mut fathom_runtime);
    pub fn fathom_runtime_get_info(runtime: *const fathom_runtime, info: *mut fathom_runtime_info) -> i32;
    pub fn fathom_model_open(runtime: *const fathom_runtime, path: *const c_char, path_size: usize, options: *const fathom_model_options, model: *mut *mut fathom_model) -> i32;
    pub fn fathom_model_open_memory(runtime: *const fathom_runtime, files: *const fathom_memory_file, file_count: usize, options: *const fathom_model_options, model: *mut *mut fathom_model) -> i32;
    pub fn fathom_model_release(model: *mut fathom_model);
    pub fn fathom_model_get_info(model: *const fathom_model, info: *mut fathom_model_info) -> i32;
    pub fn fathom_model_text(model: *const fathom_model, key: *const c_char, key_size: usize, text: *mut c_char, capacity: usize, needed: *mut usize) -> i32;
    pub fn fathom_model_text_key(model: *const fathom_model, index: usize, key: *mut c_char, capacity: usize, needed: *mut usize) -> i32;
    pub fn fathom_model_fingerprint(model: *const fathom_model, fingerprint: *mut u8) -> i32;
    pub fn fathom_model_memory_needs(runtime: *const fathom_runtime, path: *const c_char, path_size: usize, options: *const fathom_model_options, needs: *mut fathom_memory_needs) -> i32;
    pub fn fathom_encode(model: *const fathom_model, text: *const c_char, text_size: usize, flags: u32, tokens: *mut i32, capacity: usize, needed: *mut usize) -> i32;
    pub fn fathom_decode(model: *const fathom_model, tokens: *const i32, token_count: usize, flags: u32, text: *mut c_char, capacity: usize, needed: *mut usize) -> i32;
    pub fn fathom_find_token(model: *const fathom_model, text: *const c_char, text_size: usize, token: *mut i32) -> i32;
    pub fn fathom_encode_chat(model: *const fathom_model, messages: *const fathom_message, message_count: usize, options: *const fathom_chat_options, tokens: *mut i32, capacity: usize, needed: *mut usize) -> i32;
    pub fn fathom_model_recommended_sampling(model: *const fathom_model, sampling: *mut fathom_sampling_options) -> i32;
    pub fn fathom_session_create(model: *const fathom_model, options: *const fathom_session_options, session: *mut *mut fathom_session) -> i32;
    pub fn fathom_session_release(session: *mut fathom_session);
    pub fn fathom_session_memory_needs(model: *const fathom_model, options: *const fathom_session_options, needs: *mut fathom_memory_needs) -> i32;
    pub fn fathom_session_append(session: *mut fathom_session, tokens: *const i32, count: usize) -> i32;
    pub fn fathom_session_step(session: *mut fathom_session, options: *const fathom_step_options, result: *mut fathom_step_result) -> i32;
    pub fn fathom_session_generate(session: *mut fathom_session, max_new_tokens: i64, sink: fathom_text_sink, user: *mut c_void, result: *mut fathom_step_result) -> i32;
    pub fn fathom_session_cancel(session: *mut fathom_session);
    pub fn fathom_session_read_text(session: *mut fathom_session, text: *mut c_char, capacity: usize, needed: *mut usize) -> i32;
    pub fn fathom_session_read_tokens(session: *mut fathom_session, tokens: *mut i32, capacity: usize, needed: *mut usize) -> i32;
    pub fn fathom_session_read_logprobs(session: *mut fathom_session, logprobs: *mut fathom_logprob, capacity: usize, needed: *mut usize) -> i32;
    pub fn fathom_session_tokens(session: *const fathom_session, tokens: *mut i32, capacity: usize, needed: *mut usize) -> i32;
    pub fn fathom_session_logits(session: *const fathom_session, logits: *mut *const f32, count: *mut usize) -> i32;
    pub fn fathom_session_set_sampling(session: *mut fathom_session, options: *const fathom_sampling_options) -> i32;
    pub fn fathom_session_set_stop(session: *mut fathom_session, options: *const fathom_stop_options) -> i32;
    pub fn fathom_session_sync(session: *mut fathom_session, tokens: *const i32, count: usize, kept: *mut usize) -> i32;
    pub fn fathom_session_rewind(session: *mut fathom_session, length: usize) -> i32;
    pub fn fathom_session_fork(session: *const fathom_session, fork: *mut *mut fathom_session) -> i32;
    pub fn fathom_session_reset(session: *mut fathom_session) -> i32;
    pub fn fathom_session_save(session: *const fathom_session, write: fathom_write, user: *mut c_void) -> i32;
    pub fn fathom_session_saved_bytes(session: *const fathom_session, bytes: *mut u64) -> i32;
    pub fn fathom_session_restore(session: *mut fathom_session, read: fathom_read, user: *mut c_void) -> i32;
    pub fn fathom_session_read_routes(session: *mut fathom_session, routes: *mut fathom_route, capacity: usize, needed: *mut usize) -> i32;
    pub fn fathom_session_route_totals(session: *const fathom_session, layer: i32, counts: *mut u64, gates: *mut f64, capacity: usize, needed: *mut usize) -> i32;
    pub fn fathom_batch_create(model: *const fathom_model, options: *const fathom_batch_options, batch: *mut *mut fathom_batch) -> i32;
    pub fn fathom_batch_release(batch: *mut fathom_batch);
    pub fn fathom_batch_add(batch: *mut fathom_batch, session: *mut fathom_session) -> i32;
    pub fn fathom_batch_remove(batch: *mut fathom_batch, session: *mut fathom_session) -> i32;
    pub fn fathom_batch_step(batch: *mut fathom_batch, options: *const fathom_step_options, result: *mut fathom_batch_result) -> i32;
    pub fn fathom_batch_get_result(batch: *const fathom_batch, session: *const fathom_session, result: *mut fathom_step_result) -> i32;
}

/// Struct, its size, and its fields with their offsets, as this compiler lays them out.
pub fn layout() -> Vec<(&'static str, usize, Vec<(&'static str, usize)>)> {
    vec![
        ("fathom_allocator", core::mem::size_of::<fathom_allocator>(), vec![("struct_size", core::mem::offset_of!(fathom_allocator, struct_size)), ("reserved", core::mem::offset_of!(fathom_allocator, reserved)), ("user", core::mem::offset_of!(fathom_allocator, user)), ("allocate", core::mem::offset_of!(fathom_allocator, allocate)), ("release", core::mem::offset_of!(fathom_allocator, release))]),
        ("fathom_task_system", core::mem::size_of::<fathom_task_system>(), vec![("struct_size", core::mem::offset_of!(fathom_task_system, struct_size)), ("concurrency", core::mem::offset_of!(fathom_task_system, concurrency)), ("user", core::mem::offset_of!(fathom_task_system, user)), ("run", core::mem::offset_of!(fathom_task_system, run))]),
        ("fathom_file_system", core::mem::size_of::<fathom_file_system>(), vec![("struct_size", core::mem::offset_of!(fathom_file_system, struct_size)), ("reserved", core::mem::offset_of!(fathom_file_system, reserved)), ("user", core::mem::offset_of!(fathom_file_system, user)), ("open", core::mem::offset_of!(fathom_file_system, open)), ("size", core::mem::offset_of!(fathom_file_system, size)), ("read_at", core::mem::offset_of!(fathom_file_system, read_at)), ("map", core::mem::offset_of!(fathom_file_system, map)), ("unmap", core::mem::offset_of!(fathom_file_system, unmap)), ("close", core::mem::offset_of!(fathom_file_system, close))]),
        ("fathom_log_sink", core::mem::size_of::<fathom_log_sink>(), vec![("struct_size", core::mem::offset_of!(fathom_log_sink, struct_size)), ("reserved", core::mem::offset_of!(fathom_log_sink, reserved)), ("user", core::mem::offset_of!(fathom_log_sink, user)), ("write", core::mem::offset_of!(fathom_log_sink, write))]),
        ("fathom_runtime_options", core::mem::size_of::<fathom_runtime_options>(), vec![("struct_size", core::mem::offset_of!(fathom_runtime_options, struct_size)), ("threads", core::mem::offset_of!(fathom_runtime_options, threads)), ("isa_limit", core::mem::offset_of!(fathom_runtime_options, isa_limit)), ("isa_limit_size", core::mem::offset_of!(fathom_runtime_options, isa_limit_size)), ("allocator", core::mem::offset_of!(fathom_runtime_options, allocator)), ("tasks", core::mem::offset_of!(fathom_runtime_options, tasks)), ("files", core::mem::offset_of!(fathom_runtime_options, files)), ("log", core::mem::offset_of!(fathom_runtime_options, log)), ("invariant", core::mem::offset_of!(fathom_runtime_options, invariant)), ("reserved", core::mem::offset_of!(fathom_runtime_options, reserved)), ("streams", core::mem::offset_of!(fathom_runtime_options, streams)), ("streams_size", core::mem::offset_of!(fathom_runtime_options, streams_size))]),
        ("fathom_runtime_info", core::mem::size_of::<fathom_runtime_info>(), vec![("struct_size", core::mem::offset_of!(fathom_runtime_info, struct_size)), ("threads", core::mem::offset_of!(fathom_runtime_info, threads)), ("isa", core::mem::offset_of!(fathom_runtime_info, isa)), ("resident_bytes", core::mem::offset_of!(fathom_runtime_info, resident_bytes)), ("peak_resident_bytes", core::mem::offset_of!(fathom_runtime_info, peak_resident_bytes))]),
        ("fathom_model_options", core::mem::size_of::<fathom_model_options>(), vec![("struct_size", core::mem::offset_of!(fathom_model_options, struct_size)), ("verify", core::mem::offset_of!(fathom_model_options, verify)), ("progress", core::mem::offset_of!(fathom_model_options, progress)), ("progress_user", core::mem::offset_of!(fathom_model_options, progress_user)), ("lazy", core::mem::offset_of!(fathom_model_options, lazy)), ("read", core::mem::offset_of!(fathom_model_options, read))]),
        ("fathom_memory_file", core::mem::size_of::<fathom_memory_file>(), vec![("name", core::mem::offset_of!(fathom_memory_file, name)), ("name_size", core::mem::offset_of!(fathom_memory_file, name_size)), ("data", core::mem::offset_of!(fathom_memory_file, data)), ("data_size", core::mem::offset_of!(fathom_memory_file, data_size))]),
        ("fathom_model_info", core::mem::size_of::<fathom_model_info>(), vec![("struct_size", core::mem::offset_of!(fathom_model_info, struct_size)), ("has_tokenizer", core::mem::offset_of!(fathom_model_info, has_tokenizer)), ("family", core::mem::offset_of!(fathom_model_info, family)), ("container", core::mem::offset_of!(fathom_model_info, container)), ("name", core::mem::offset_of!(fathom_model_info, name)), ("chat_format", core::mem::offset_of!(fathom_model_info, chat_format)), ("layers", core::mem::offset_of!(fathom_model_info, layers)), ("hidden_size", core::mem::offset_of!(fathom_model_info, hidden_size)), ("vocab_size", core::mem::offset_of!(fathom_model_info, vocab_size)), ("context_length", core::mem::offset_of!(fathom_model_info, context_length)), ("heads", core::mem::offset_of!(fathom_model_info, heads)), ("kv_heads", core::mem::offset_of!(fathom_model_info, kv_heads)), ("experts", core::mem::offset_of!(fathom_model_info, experts)), ("experts_per_token", core::mem::offset_of!(fathom_model_info, experts_per_token)), ("parameters", core::mem::offset_of!(fathom_model_info, parameters)), ("weight_bytes", core::mem::offset_of!(fathom_model_info, weight_bytes)), ("cache_values_per_token", core::mem::offset_of!(fathom_model_info, cache_values_per_token)), ("automatic_cache", core::mem::offset_of!(fathom_model_info, automatic_cache)), ("bos_token", core::mem::offset_of!(fathom_model_info, bos_token)), ("eos_token", core::mem::offset_of!(fathom_model_info, eos_token)), ("reserved", core::mem::offset_of!(fathom_model_info, reserved)), ("streams", core::mem::offset_of!(fathom_model_info, streams))]),
        ("fathom_memory_needs", core::mem::size_of::<fathom_memory_needs>(), vec![("struct_size", core::mem::offset_of!(fathom_memory_needs, struct_size)), ("reserved", core::mem::offset_of!(fathom_memory_needs, reserved)), ("mapped_bytes", core::mem::offset_of!(fathom_memory_needs, mapped_bytes)), ("weights_bytes", core::mem::offset_of!(fathom_memory_needs, weights_bytes)), ("cache_bytes", core::mem::offset_of!(fathom_memory_needs, cache_bytes)), ("scratch_bytes", core::mem::offset_of!(fathom_memory_needs, scratch_bytes)), ("other_bytes", core::mem::offset_of!(fathom_memory_needs, other_bytes)), ("peak_bytes", core::mem::offset_of!(fathom_memory_needs, peak_bytes))]),
        ("fathom_message", core::mem::size_of::<fathom_message>(), vec![("role", core::mem::offset_of!(fathom_message, role)), ("role_size", core::mem::offset_of!(fathom_message, role_size)), ("content", core::mem::offset_of!(fathom_message, content)), ("content_size", core::mem::offset_of!(fathom_message, content_size))]),
        ("fathom_chat_options", core::mem::size_of::<fathom_chat_options>(), vec![("struct_size", core::mem::offset_of!(fathom_chat_options, struct_size)), ("thinking", core::mem::offset_of!(fathom_chat_options, thinking)), ("format", core::mem::offset_of!(fathom_chat_options, format)), ("format_size", core::mem::offset_of!(fathom_chat_options, format_size)), ("no_generation_prompt", core::mem::offset_of!(fathom_chat_options, no_generation_prompt)), ("reserved", core::mem::offset_of!(fathom_chat_options, reserved))]),
        ("fathom_sampling_options", core::mem::size_of::<fathom_sampling_options>(), vec![("struct_size", core::mem::offset_of!(fathom_sampling_options, struct_size)), ("temperature", core::mem::offset_of!(fathom_sampling_options, temperature)), ("top_p", core::mem::offset_of!(fathom_sampling_options, top_p)), ("min_p", core::mem::offset_of!(fathom_sampling_options, min_p)), ("repetition_penalty", core::mem::offset_of!(fathom_sampling_options, repetition_penalty)), ("frequency_penalty", core::mem::offset_of!(fathom_sampling_options, frequency_penalty)), ("presence_penalty", core::mem::offset_of!(fathom_sampling_options, presence_penalty)), ("top_k", core::mem::offset_of!(fathom_sampling_options, top_k)), ("penalty_window", core::mem::offset_of!(fathom_sampling_options, penalty_window)), ("reserved", core::mem::offset_of!(fathom_sampling_options, reserved)), ("seed", core::mem::offset_of!(fathom_sampling_options, seed))]),
        ("fathom_string", core::mem::size_of::<fathom_string>(), vec![("data", core::mem::offset_of!(fathom_string, data)), ("size", core::mem::offset_of!(fathom_string, size))]),
        ("fathom_stop_options", core::mem::size_of::<fathom_stop_options>(), vec![("struct_size", core::mem::offset_of!(fathom_stop_options, struct_size)), ("ignore_stop_tokens", core::mem::offset_of!(fathom_stop_options, ignore_stop_tokens)), ("tokens", core::mem::offset_of!(fathom_stop_options, tokens)), ("token_count", core::mem::offset_of!(fathom_stop_options, token_count)), ("strings", core::mem::offset_of!(fathom_stop_options, strings)), ("string_count", core::mem::offset_of!(fathom_stop_options, string_count))]),
        ("fathom_session_options", core::mem::size_of::<fathom_session_options>(), vec![("struct_size", core::mem::offset_of!(fathom_session_options, struct_size)), ("cache", core::mem::offset_of!(fathom_session_options, cache)), ("context_length", core::mem::offset_of!(fathom_session_options, context_length)), ("sampling", core::mem::offset_of!(fathom_session_options, sampling)), ("stop", core::mem::offset_of!(fathom_session_options, stop)), ("chunk_rows", core::mem::offset_of!(fathom_session_options, chunk_rows)), ("top_logprobs", core::mem::offset_of!(fathom_session_options, top_logprobs)), ("trace_routes", core::mem::offset_of!(fathom_session_options, trace_routes)), ("count_routes", core::mem::offset_of!(fathom_session_options, count_routes))]),
        ("fathom_step_options", core::mem::size_of::<fathom_step_options>(), vec![("struct_size", core::mem::offset_of!(fathom_step_options, struct_size)), ("reserved", core::mem::offset_of!(fathom_step_options, reserved)), ("budget_us", core::mem::offset_of!(fathom_step_options, budget_us)), ("max_new_tokens", core::mem::offset_of!(fathom_step_options, max_new_tokens))]),
        ("fathom_step_result", core::mem::size_of::<fathom_step_result>(), vec![("struct_size", core::mem::offset_of!(fathom_step_result, struct_size)), ("stop", core::mem::offset_of!(fathom_step_result, stop)), ("prompt_tokens", core::mem::offset_of!(fathom_step_result, prompt_tokens)), ("new_tokens", core::mem::offset_of!(fathom_step_result, new_tokens)), ("queued_tokens", core::mem::offset_of!(fathom_step_result, queued_tokens)), ("longest_unit_us", core::mem::offset_of!(fathom_step_result, longest_unit_us))]),
        ("fathom_logprob", core::mem::size_of::<fathom_logprob>(), vec![("token", core::mem::offset_of!(fathom_logprob, token)), ("logprob", core::mem::offset_of!(fathom_logprob, logprob))]),
        ("fathom_route", core::mem::size_of::<fathom_route>(), vec![("position", core::mem::offset_of!(fathom_route, position)), ("layer", core::mem::offset_of!(fathom_route, layer)), ("expert", core::mem::offset_of!(fathom_route, expert)), ("gate", core::mem::offset_of!(fathom_route, gate)), ("reserved", core::mem::offset_of!(fathom_route, reserved))]),
        ("fathom_batch_options", core::mem::size_of::<fathom_batch_options>(), vec![("struct_size", core::mem::offset_of!(fathom_batch_options, struct_size)), ("rows", core::mem::offset_of!(fathom_batch_options, rows)), ("sessions", core::mem::offset_of!(fathom_batch_options, sessions)), ("reserved", core::mem::offset_of!(fathom_batch_options, reserved))]),
        ("fathom_batch_result", core::mem::size_of::<fathom_batch_result>(), vec![("struct_size", core::mem::offset_of!(fathom_batch_result, struct_size)), ("sessions", core::mem::offset_of!(fathom_batch_result, sessions)), ("active", core::mem::offset_of!(fathom_batch_result, active)), ("failed", core::mem::offset_of!(fathom_batch_result, failed)), ("prompt_tokens", core::mem::offset_of!(fathom_batch_result, prompt_tokens)), ("new_tokens", core::mem::offset_of!(fathom_batch_result, new_tokens)), ("queued_tokens", core::mem::offset_of!(fathom_batch_result, queued_tokens)), ("longest_unit_us", core::mem::offset_of!(fathom_batch_result, longest_unit_us))]),
    ]
}
