/* fathom: large language models on CPUs, inside your process. This header is the manual of the C interface.
 *
 * Three kinds of objects, each behind an opaque handle:
 *
 *   runtime   threads and instruction set
 *   model     immutable weights and their tokenizer; any number of sessions share one
 *   session   one text under way: its cache, its sampler, what it has written
 *
 * A create or open gives one reference, the matching release takes it back; release(NULL) does nothing. An object keeps what
 * it was made from alive, so the order of releases does not matter.
 *
 * Status. Functions that can fail return a FATHOM_* status, FATHOM_OK being 0. fathom_last_error() then has a sentence that
 * names the culprit. Nothing passed in ends the process; nothing is ever printed. After a failure outputs are untouched
 * unless their description says otherwise.
 *
 * Options and results are structs whose first field, struct_size, the caller sets to sizeof the struct. In options zero means
 * the default, NULL instead of the struct means all defaults, and whatever is set beyond the fields this library knows
 * is refused (FATHOM_UNSUPPORTED), never ignored. Begin with `fathom_xyz_options options = {.struct_size = sizeof options};`.
 *
 * Strings in are pointer and length in bytes, UTF-8, without a terminating zero; a pointer may be NULL where the length is 0.
 *
 * Variable output goes to the caller's buffer: `capacity` elements at most, and *needed is set to how many there are. With
 * NULL and 0 a call only asks for the size. When the buffer is too small, nothing is written or consumed and the status is
 * FATHOM_BUFFER_TOO_SMALL.
 *
 * Threads. Functions on a const handle may be called from any number of threads at once, others from one at a time for one
 * handle. fathom_session_cancel is the exception: any thread, any time before the release.
 */
#ifndef FATHOM_H
#define FATHOM_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#if defined(FATHOM_BUILD_SHARED)
#define FATHOM_API __declspec(dllexport)
#else
#define FATHOM_API __declspec(dllimport)
#endif
#else
#define FATHOM_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Status ---------------------------------------------------------------------------------------------------------- */

#define FATHOM_OK 0
#define FATHOM_INVALID_ARGUMENT 1  /* the caller passed something no call accepts */
#define FATHOM_NOT_FOUND 2         /* no such file, tensor, key or token */
#define FATHOM_IO_ERROR 3          /* the file system said no */
#define FATHOM_CORRUPT_FILE 4      /* the bytes contradict the format or each other */
#define FATHOM_UNSUPPORTED 5       /* well formed, but not something this build knows */
#define FATHOM_OUT_OF_MEMORY 6     /* the allocator said no */
#define FATHOM_CONTEXT_FULL 7      /* the session has no room for more tokens */
#define FATHOM_CANCELLED 8         /* the host asked to stop */
#define FATHOM_CALLBACK_FAILED 9   /* a callback of the host failed */
#define FATHOM_WRONG_STATE 10      /* valid call, wrong moment */
#define FATHOM_INTERNAL 11         /* a defect of fathom */
#define FATHOM_BUFFER_TOO_SMALL 12 /* *needed says how large it must be */

/* "0.1.0". Lives as long as the library is loaded. */
FATHOM_API const char* fathom_version(void);

/* Name of a status: "ok", "corrupt_file", ...; "unknown" for other values. Lives as long as the library is loaded. */
FATHOM_API const char* fathom_status_name(int32_t status);

/* Why the last call on this thread that returns a status failed; "" when it did not. Never NULL, zero-terminated UTF-8, valid
 * until this thread's next such call. */
FATHOM_API const char* fathom_last_error(void);

/* ---- Runtime --------------------------------------------------------------------------------------------------------- */

typedef struct fathom_runtime fathom_runtime;

typedef struct fathom_runtime_options {
  uint32_t struct_size;
  int32_t threads;       /* 0: one for each core the process may use */
  const char* isa_limit; /* "scalar", "avx2", "avx512", "avx512_vnni" or "avx512_bf16"; empty: the best this CPU has */
  size_t isa_limit_size;
  uint32_t invariant; /* 1: results do not depend on how a prompt is cut into chunks; slower on long prompts */
  uint32_t reserved;  /* 0 */
} fathom_runtime_options;

FATHOM_API int32_t fathom_runtime_create(const fathom_runtime_options* options, fathom_runtime** runtime);
FATHOM_API void fathom_runtime_release(fathom_runtime* runtime);

/* ---- Model ----------------------------------------------------------------------------------------------------------- */

typedef struct fathom_model fathom_model;

/* Called while loading, on the thread that loads, with the share done in 0..1 and what is being done (zero-terminated, valid
 * during the call). Anything but 0 stops the loading with FATHOM_CANCELLED. */
typedef int32_t (*fathom_progress)(void* user, double done, const char* what);

typedef struct fathom_model_options {
  uint32_t struct_size;
  uint32_t verify; /* 1: read every weight once, refuse the checkpoint when one is not a finite number */
  fathom_progress progress;
  void* progress_user;
} fathom_model_options;

/* `path`: a Hugging Face folder or a .gguf file. On failure nothing is kept. */
FATHOM_API int32_t fathom_model_open(const fathom_runtime* runtime, const char* path, size_t path_size,
                                     const fathom_model_options* options, fathom_model** model);
FATHOM_API void fathom_model_release(fathom_model* model);

#define FATHOM_CACHE_AUTOMATIC 0
#define FATHOM_CACHE_F32 1
#define FATHOM_CACHE_F16 2
#define FATHOM_CACHE_BF16 3

/* The strings are zero-terminated, never NULL, and live as long as the handle that was asked. */
typedef struct fathom_model_info {
  uint32_t struct_size;
  uint32_t has_tokenizer;  /* 0 or 1 */
  const char* family;      /* "deepseek_v3", "llama", ... */
  const char* container;   /* "huggingface" or "gguf" */
  const char* name;        /* as the checkpoint calls itself; may be empty */
  const char* chat_format; /* empty when it is none of the built-in ones */
  int64_t layers;
  int64_t hidden_size;
  int64_t vocab_size; /* how many logits there are */
  int64_t context_length;
  int64_t experts; /* of a layer, shared ones apart; 0 for dense models */
  int64_t experts_per_token;
  int64_t parameters;
  int64_t weight_bytes;           /* as stored */
  int64_t cache_values_per_token; /* times 4 (F32) or 2 (F16, BF16): bytes of a token */
  int32_t automatic_cache;        /* the FATHOM_CACHE_* that FATHOM_CACHE_AUTOMATIC means for this model */
  int32_t reserved;
} fathom_model_info;

/* Fills as much of *info as info->struct_size covers; what lies beyond the fields this library knows becomes zero. */
FATHOM_API int32_t fathom_model_get_info(const fathom_model* model, fathom_model_info* info);

/* ---- Text and tokens ------------------------------------------------------------------------------------------------- */
/* FATHOM_NOT_FOUND for a checkpoint without tokenizer. */

#define FATHOM_ENCODE_PARSE_SPECIAL 1u /* special tokens written in the text count as such; not for text from end users */
#define FATHOM_ENCODE_ADD_SPECIAL 2u   /* add what the checkpoint puts around a text, usually the begin token */

FATHOM_API int32_t fathom_encode(const fathom_model* model, const char* text, size_t text_size, uint32_t flags, int32_t* tokens,
                                 size_t capacity, size_t* needed);

#define FATHOM_DECODE_KEEP_SPECIAL 1u /* special tokens stay in the text */

/* The text is not zero-terminated. */
FATHOM_API int32_t fathom_decode(const fathom_model* model, const int32_t* tokens, size_t token_count, uint32_t flags,
                                 char* text, size_t capacity, size_t* needed);

typedef struct fathom_message {
  const char* role; /* "system", "user" or "assistant" */
  size_t role_size;
  const char* content; /* plain text: a control token written in it stays characters */
  size_t content_size;
} fathom_message;

typedef struct fathom_chat_options {
  uint32_t struct_size;
  uint32_t thinking;  /* 1: let the answer begin with reasoning, where the model has the choice */
  const char* format; /* a built-in format's name; empty: the checkpoint's own */
  size_t format_size;
  uint32_t no_generation_prompt; /* 1: end after the last message instead of where the answer begins */
  uint32_t reserved;             /* 0 */
} fathom_chat_options;

/* Tokens of a conversation in the model's own format. FATHOM_UNSUPPORTED when that is none of the built-in ones,
 * FATHOM_INVALID_ARGUMENT when `format` is none of their names; the error text has the names. */
FATHOM_API int32_t fathom_encode_chat(const fathom_model* model, const fathom_message* messages, size_t message_count,
                                      const fathom_chat_options* options, int32_t* tokens, size_t capacity, size_t* needed);

/* ---- Session --------------------------------------------------------------------------------------------------------- */

typedef struct fathom_session fathom_session;

/* How the next token is chosen. All zero: always the likeliest one. */
typedef struct fathom_sampling_options {
  uint32_t struct_size;
  float temperature; /* 0: the likeliest token */
  float top_p;       /* 0 means 1: all */
  float min_p;
  float repetition_penalty; /* 0 means 1: none */
  float frequency_penalty;
  float presence_penalty;
  int32_t top_k;          /* 0: all */
  int32_t penalty_window; /* how many of the last tokens count as seen; 0 means 256 */
  uint32_t reserved;      /* 0 */
  uint64_t seed;
} fathom_sampling_options;

typedef struct fathom_string {
  const char* data;
  size_t size;
} fathom_string;

/* Everything is copied; the pointers are not needed after the call. */
typedef struct fathom_session_options {
  uint32_t struct_size;
  int32_t cache;                           /* FATHOM_CACHE_* */
  int64_t context_length;                  /* tokens it can hold; 0: the model's, at most 8192 */
  const fathom_sampling_options* sampling; /* may be NULL */
  const fathom_string* stop_strings;       /* generation ends where one appears in the text */
  size_t stop_string_count;
  const int32_t* stop_tokens; /* further ones, beside the model's own */
  size_t stop_token_count;
  uint32_t ignore_stop_tokens; /* 1: go on past the model's own stop tokens */
  int32_t chunk_rows;          /* at most so many prompt tokens go through the model together; 0: 512 */
} fathom_session_options;

/* All memory is taken here. */
FATHOM_API int32_t fathom_session_create(const fathom_model* model, const fathom_session_options* options,
                                         fathom_session** session);
FATHOM_API void fathom_session_release(fathom_session* session);

/* Queues tokens behind what is there; nothing is computed. FATHOM_INVALID_ARGUMENT for an id outside the vocabulary,
 * FATHOM_CONTEXT_FULL when they do not fit; then none is queued. */
FATHOM_API int32_t fathom_session_append(fathom_session* session, const int32_t* tokens, size_t count);

#define FATHOM_STOP_NONE 0         /* not stopped: step again */
#define FATHOM_STOP_TOKEN 1        /* the model ended its turn */
#define FATHOM_STOP_STRING 2       /* a stop string appeared */
#define FATHOM_STOP_CONTEXT_FULL 3 /* no room for another token */
#define FATHOM_STOP_CANCELLED 4    /* fathom_session_cancel */

#define FATHOM_NO_NEW_TOKENS (-1)

typedef struct fathom_step_options {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  int64_t budget_us; /* return after about so many microseconds; 0: no limit */
  int64_t
      max_new_tokens; /* return after so many generated tokens; 0 means 1; FATHOM_NO_NEW_TOKENS: only take in what is queued */
} fathom_step_options;

typedef struct fathom_step_result {
  uint32_t struct_size;
  int32_t stop;           /* FATHOM_STOP_* */
  int64_t prompt_tokens;  /* queued tokens taken in during this step */
  int64_t new_tokens;     /* tokens generated during this step */
  int64_t queued_tokens;  /* still waiting, because the budget ended */
  double longest_unit_us; /* the longest piece of work that could not be interrupted */
} fathom_step_result;

/* Works: takes in what is queued, then generates. `result` may be NULL. FATHOM_WRONG_STATE when there is nothing to go on
 * from. */
FATHOM_API int32_t fathom_session_step(fathom_session* session, const fathom_step_options* options, fathom_step_result* result);

/* What was generated since the last read: whole characters only; stop tokens and stop strings are not part of it. The text is
 * not zero-terminated. A read with a buffer consumes everything; one that asks for the size, or has too little room, nothing.
 */
FATHOM_API int32_t fathom_session_read_text(fathom_session* session, char* text, size_t capacity, size_t* needed);
FATHOM_API int32_t fathom_session_read_tokens(fathom_session* session, int32_t* tokens, size_t capacity, size_t* needed);

/* Logits after the last token taken in, info.vocab_size of them. Borrowed: valid until the next call on this session.
 * FATHOM_WRONG_STATE before the first step. */
FATHOM_API int32_t fathom_session_logits(const fathom_session* session, const float** logits, size_t* count);

/* A step under way returns soon with FATHOM_STOP_CANCELLED; without one, the next step does. NULL is ignored. */
FATHOM_API void fathom_session_cancel(fathom_session* session);

/* Forgets everything but the options, what was not read included. */
FATHOM_API int32_t fathom_session_reset(fathom_session* session);

#ifdef __cplusplus
}
#endif

#endif
