/* fathom: large language models on CPUs, inside your process. This header is the manual of the C interface.
 *
 * OBJECTS, each behind an opaque handle:
 *
 *   runtime   the host's memory, threads, files and log, and the instruction set
 *   model     immutable weights and their tokenizer; any number of sessions share one
 *   session   one text in progress: its tokens, cache, sampler and output
 *   batch     sessions of one model that step together, so that weights are read once for all of them
 *
 * OWNERSHIP. A create, open or fork gives one reference, and the matching release takes it back. release(NULL) does nothing. An
 * object keeps the objects it was made from alive, so releases may come in any order. Pointers that you pass in must be valid
 * during the call only. Two exceptions say so: the hooks of a runtime, and the bytes of fathom_model_open_memory. Few pointers
 * are returned, and each says how long it is valid.
 *
 * STATUS. Functions that can fail return a FATHOM_* status, FATHOM_OK being 0. fathom_last_error() then has a sentence that
 * names the culprit. Nothing passed in ends the process, nothing is ever printed, no environment variable is read, no signal
 * handler, locale or floating-point mode is changed. One thing from outside can: a model file that another program shortens
 * while it is mapped; see MAPPED FILES. After a failure outputs and objects are as they were before the call,
 * unless its description says otherwise.
 *
 * STRUCTS for options and results begin with struct_size, which the caller sets to sizeof the struct. In options zero means
 * the default, NULL instead of the struct means all defaults, and whatever is set beyond the fields this library knows is
 * refused (FATHOM_UNSUPPORTED), never ignored. Fields named reserved must be zero. Results are cut to the caller's
 * struct_size. Both of these clear the rest, without a warning:
 *
 *   C:    fathom_xyz_options options = {.struct_size = sizeof options};
 *   C++:  fathom_xyz_options options = {}; options.struct_size = sizeof options;
 *
 * STRINGS in are pointer and length in bytes, UTF-8, without a terminating zero; a pointer may be NULL where the length is 0.
 *
 * VARIABLE OUTPUT goes to the caller's buffer of `capacity` elements, and *needed gets the number of elements there are. With
 * NULL and 0 a call only asks for that number. A buffer that is too small gives FATHOM_BUFFER_TOO_SMALL: *needed is set, and
 * nothing is written or consumed.
 *
 * THREADS. Any number of threads may call functions on one const handle at once. Other functions take one thread at a time for
 * each handle: a call that finds its session or batch in use returns FATHOM_WRONG_STATE and does nothing. Any thread may call
 * fathom_session_cancel at any time before the release. Releases may happen on any thread.
 *
 * CALLBACKS run on the thread of the call that caused them, except tasks of a task system. A callback may use other objects; a
 * call on the object that called it returns FATHOM_WRONG_STATE. A callback that fails, or throws a C++ exception, makes the
 * call fail with FATHOM_CALLBACK_FAILED. Nothing is lost.
 *
 * UNITS. Sizes are in bytes, times in microseconds, positions in tokens from 0, and probabilities are natural logarithms.
 *
 * SAME BITS. For one build and instruction set, logits and tokens do not depend on the number of threads, on the order of
 * tasks, or on budgets. With fathom_runtime_options.invariant they also do not depend on the cuts of a prompt, on other members
 * of a batch, or on fork, rewind, sync and restore.
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

/* ---- Version and status ---------------------------------------------------------------------------------------------- */

#define FATHOM_VERSION_MAJOR 1
#define FATHOM_VERSION_MINOR 0
#define FATHOM_VERSION_PATCH 0

/* The version of the library that runs: "1.0.0". The three numbers above are the version of this header. The pointer is valid
 * as long as the library is loaded. */
FATHOM_API const char* fathom_version(void);

#define FATHOM_OK 0
#define FATHOM_INVALID_ARGUMENT 1  /* the caller passed something no call accepts */
#define FATHOM_NOT_FOUND 2         /* no such file, tensor, key or token */
#define FATHOM_IO_ERROR 3          /* the file system refused */
#define FATHOM_CORRUPT_FILE 4      /* the bytes contradict the format or each other */
#define FATHOM_UNSUPPORTED 5       /* well formed, but this build does not know it */
#define FATHOM_OUT_OF_MEMORY 6     /* the allocator refused */
#define FATHOM_CONTEXT_FULL 7      /* the session has no room for these tokens */
#define FATHOM_CANCELLED 8         /* the host asked to stop */
#define FATHOM_CALLBACK_FAILED 9   /* a callback of the host failed */
#define FATHOM_WRONG_STATE 10      /* a valid call at the wrong moment */
#define FATHOM_INTERNAL 11         /* a defect of fathom */
#define FATHOM_BUFFER_TOO_SMALL 12 /* *needed says how large it must be */

/* The name of a status: "ok", "corrupt_file", ...; "unknown" for other values. Valid as long as the library is loaded. */
FATHOM_API const char* fathom_status_name(int32_t status);

/* Why the last call failed, of those on this thread that return a status; "" when it succeeded. Never NULL. Zero-terminated
 * UTF-8, valid until this thread's next such call. */
FATHOM_API const char* fathom_last_error(void);

/* ---- Runtime: the host's hooks ---------------------------------------------------------------------------------------- */

#define FATHOM_MEMORY_WEIGHTS 0 /* weights that are not used in the file's own memory */
#define FATHOM_MEMORY_CACHE 1   /* what sessions remember */
#define FATHOM_MEMORY_SCRATCH 2 /* buffers of a pass, which the sessions and batches of a model share */
#define FATHOM_MEMORY_OTHER 3

/* Memory of the host. Any thread calls both functions. `alignment` is a power of two. Memory need not be cleared. `allocate`
 * returns NULL when there is no memory. `release` gets each block with the numbers that `allocate` got for it. Names, tables
 * and other bookkeeping, a few megabytes for a model, come from the C++ heap instead. */
typedef struct fathom_allocator {
  uint32_t struct_size;
  uint32_t reserved;
  void* user;
  void* (*allocate)(void* user, size_t bytes, size_t alignment, int32_t purpose);
  void (*release)(void* user, void* memory, size_t bytes, size_t alignment, int32_t purpose);
} fathom_allocator;

/* Threads of the host, as fork and join. `run` calls task(context, i) for each i in [0, count), on any threads and in any
 * order, and returns 0 after all have returned. A serial loop is correct. Another return value, or a task left out, is a
 * failure: fathom then runs the missing tasks itself, and the step ends with FATHOM_CALLBACK_FAILED, a filled result and an
 * intact session. Several threads may call `run` at once. `concurrency` is the number of tasks that may run at once, at
 * least 1. */
typedef struct fathom_task_system {
  uint32_t struct_size;
  int32_t concurrency;
  void* user;
  int32_t (*run)(void* user, int32_t count, void (*task)(void* context, int32_t index), void* context);
} fathom_task_system;

/* Files, from a package, an encrypted asset, a network. All functions from any thread; each returns 0 or a status
 * (FATHOM_NOT_FOUND where `open` finds nothing), and must fill what it is asked for whole. `map` gives the whole file as
 * memory that stays readable and keeps its bytes until `unmap`; it may be NULL, or say no with FATHOM_UNSUPPORTED, and the file
 * is then read through `read_at` into memory from the allocator. A path with config.json or tokenizer.json below it is a
 * folder; paths are joined with '/'. */
typedef struct fathom_file_system {
  uint32_t struct_size;
  uint32_t reserved;
  void* user;
  int32_t (*open)(void* user, const char* path, size_t path_size, void** file);
  int32_t (*size)(void* user, void* file, uint64_t* bytes);
  int32_t (*read_at)(void* user, void* file, uint64_t offset, void* buffer, size_t bytes);
  int32_t (*map)(void* user, void* file, const void** data);
  void (*unmap)(void* user, void* file, const void* data);
  void (*close)(void* user, void* file);
} fathom_file_system;

#define FATHOM_LOG_DEBUG 0
#define FATHOM_LOG_INFO 1
#define FATHOM_LOG_WARNING 2
#define FATHOM_LOG_ERROR 3

/* The log of the host. Any thread calls `write`. The message is not zero-terminated and is valid during the call. It never
 * holds prompts or generated text. */
typedef struct fathom_log_sink {
  uint32_t struct_size;
  uint32_t reserved;
  void* user;
  void (*write)(void* user, int32_t level, const char* message, size_t message_size);
} fathom_log_sink;

typedef struct fathom_runtime fathom_runtime;

/* The hooks are copied. The objects behind their `user` must outlive the runtime and all objects made from it. A NULL hook
 * means the default: the process heap; a pool of `threads` whose idle workers sleep; the operating system's files; no log. On
 * processors with AMX, fathom asks Linux once to let the process use AMX registers, which lasts until the process ends.
 * `isa_limit` "avx512_bf16" avoids that. */
typedef struct fathom_runtime_options {
  uint32_t struct_size;
  int32_t threads; /* of the pool, the calling one included; 0: one for each core the process may use, or as many as its
                    * container's CPU quota, rounded up, where that is less */
  const char*
      isa_limit; /* "scalar", "avx2", "avx512", "avx512_vnni", "avx512_bf16" or "amx_int8"; empty: the best this CPU has */
  size_t isa_limit_size;
  const fathom_allocator* allocator;
  const fathom_task_system* tasks;
  const fathom_file_system* files;
  const fathom_log_sink* log;
  uint32_t invariant; /* 1: bits also do not depend on chunks, batch members and reused caches; long prompts are slower */
  uint32_t reserved;
  const char* streams; /* how products prefetch weights; bits do not depend on it. Empty: each model of 100 MB or more times the
                        * variants on its own weights when it is opened, for at most 50 ms; "builtin": one fixed variant; a
                        * text that fathom_model_info.streams gave: that choice, for the same speed profile every time */
  size_t streams_size;
} fathom_runtime_options;

/* Makes a runtime. FATHOM_INVALID_ARGUMENT for an unknown `isa_limit` or a number of threads out of range. */
FATHOM_API int32_t fathom_runtime_create(const fathom_runtime_options* options, fathom_runtime** runtime);
FATHOM_API void fathom_runtime_release(fathom_runtime* runtime);

typedef struct fathom_runtime_info {
  uint32_t struct_size;
  int32_t threads;             /* tasks that run at once */
  const char* isa;             /* in use; zero-terminated, lives as long as the library is loaded */
  int64_t resident_bytes;      /* of the whole process, with mapped files; 0 where unknown */
  int64_t peak_resident_bytes; /* the most since the process began; 0 where unknown */
} fathom_runtime_info;

/* Describes a runtime and the memory of the process. */
FATHOM_API int32_t fathom_runtime_get_info(const fathom_runtime* runtime, fathom_runtime_info* info);

/* ---- Model ----------------------------------------------------------------------------------------------------------- */

typedef struct fathom_model fathom_model;

/* Reports progress while a model is loaded, on the thread that loads. `done` is the finished share in [0, 1]. `what` names the
 * current work, zero-terminated and valid during the call. Any return value but 0 stops loading with FATHOM_CANCELLED. */
typedef int32_t (*fathom_progress)(void* user, double done, const char* what);

typedef struct fathom_model_options {
  uint32_t struct_size;
  uint32_t verify; /* 1: read every weight once and refuse a checkpoint with a weight that is not finite */
  fathom_progress progress;
  void* progress_user;
  uint32_t
      lazy; /* 1: mapped weights stay as the file has them and come into memory as they are first used, so that opening takes no
             * time and the first tokens do; 0: they are read before this returns, unless they are larger than the machine's
             * memory, and moved into memory from the allocator where that makes generating faster, see memory_needs */
  uint32_t read; /* 1: files are read whole into memory from the allocator, and nothing is mapped; `lazy` then means nothing.
                  * They are not used any more once this returns. Costs memory of their size, and some speed of generation;
                  * results are the same bits. 0: they are mapped where the file system can, see MAPPED FILES below */
} fathom_model_options;

/* MAPPED FILES. A mapped file must keep its length and its bytes while a model made of it, or a session of that, is open. Where
 * another program shortens it, reading the lost pages ends the process (SIGBUS), which no library can prevent. Sessions and
 * steps compare the length before they start and return FATHOM_IO_ERROR; a file that is cut during a step is not noticed in
 * time. Replace model files by renaming a new file to their name: renaming and deleting are harmless. Hosts whose files may
 * change open with `read`. */

/* `path`: a Hugging Face folder or a .gguf file; of a series, the first. */
FATHOM_API int32_t fathom_model_open(const fathom_runtime* runtime, const char* path, size_t path_size,
                                     const fathom_model_options* options, fathom_model** model);

/* A file in memory, named as it would be in a folder: "config.json", "model.safetensors", "weights.gguf". */
typedef struct fathom_memory_file {
  const char* name;
  size_t name_size;
  const void* data;
  size_t data_size;
} fathom_memory_file;

/* The same from memory: one GGUF file, or the files of a Hugging Face folder. The data is read where it lies and must
 * stay until the model and all its sessions are gone; with `read` it is copied and may go once this returns. */
FATHOM_API int32_t fathom_model_open_memory(const fathom_runtime* runtime, const fathom_memory_file* files, size_t file_count,
                                            const fathom_model_options* options, fathom_model** model);
FATHOM_API void fathom_model_release(fathom_model* model);

#define FATHOM_CACHE_AUTOMATIC 0
#define FATHOM_CACHE_F32 1
#define FATHOM_CACHE_F16 2 /* numbers above 65504 become infinite: BF16 or F32 for models whose keys or values are larger */
#define FATHOM_CACHE_BF16 3
#define FATHOM_CACHE_Q8_0 4 /* 8 bits, and a scale for 32 values: half of F16, a little coarser; heads are multiples of 32 */

/* The strings are zero-terminated, never NULL, and valid until this handle of the model is released. */
typedef struct fathom_model_info {
  uint32_t struct_size;
  uint32_t has_tokenizer;  /* 0 or 1 */
  const char* family;      /* "deepseek_v3", "llama", ... */
  const char* container;   /* "huggingface" or "gguf" */
  const char* name;        /* from the checkpoint; may be empty */
  const char* chat_format; /* a built-in format; empty when the checkpoint uses another one */
  int64_t layers;
  int64_t hidden_size;
  int64_t vocab_size; /* number of logits */
  int64_t context_length;
  int64_t heads;
  int64_t kv_heads;
  int64_t experts; /* routed experts of a layer; 0 for dense models */
  int64_t experts_per_token;
  int64_t parameters;
  int64_t weight_bytes;           /* as stored */
  int64_t cache_values_per_token; /* times 4 (F32), 2 (F16, BF16) or 34/32 (Q8_0): bytes of a token */
  int32_t automatic_cache;        /* the FATHOM_CACHE_* that FATHOM_CACHE_AUTOMATIC means for this model */
  int32_t bos_token;              /* -1: there is none */
  int32_t eos_token;              /* -1: there is none */
  int32_t reserved;
  const char* streams; /* how products prefetch weights, "Q4_K=none,8k,tile" or "builtin"; fathom_runtime_options takes it */
} fathom_model_info;

/* Describes a model. */
FATHOM_API int32_t fathom_model_get_info(const fathom_model* model, fathom_model_info* info);

/* A value of the checkpoint's metadata, as text. `key` is a key of a GGUF file ("general.name"), a dotted path in a folder's
 * config.json ("rope_scaling.type"), or "chat_template". FATHOM_NOT_FOUND when there is no such key. */
FATHOM_API int32_t fathom_model_text(const fathom_model* model, const char* key, size_t key_size, char* text, size_t capacity,
                                     size_t* needed);

/* The keys of fathom_model_text, by index from 0; FATHOM_NOT_FOUND past the last. */
FATHOM_API int32_t fathom_model_text_key(const fathom_model* model, size_t index, char* key, size_t capacity, size_t* needed);

#define FATHOM_FINGERPRINT_SIZE 32

/* Writes FATHOM_FINGERPRINT_SIZE bytes that are equal for equal checkpoints, whatever their path. They identify a checkpoint
 * and do not protect against forgery: not every weight is read. */
FATHOM_API int32_t fathom_model_fingerprint(const fathom_model* model, uint8_t* fingerprint);

/* Memory by purpose. Weights, cache and scratch come from the allocator. */
typedef struct fathom_memory_needs {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t mapped_bytes;  /* of mapped files; the system may drop and reread them */
  int64_t weights_bytes; /* of weights that are read or moved into memory; pages of the file are freed meanwhile */
  int64_t cache_bytes;
  int64_t scratch_bytes; /* of steps; sessions of a model share it, unless they step at the same time */
  int64_t other_bytes;   /* a session's own: timeline, logits, what is not read; partly from the C++ heap */
  int64_t peak_bytes;    /* the most at any moment, loading included, mapped_bytes apart */
} fathom_memory_needs;

/* The memory that fathom_model_open would take. Reads headers and no weights. */
FATHOM_API int32_t fathom_model_memory_needs(const fathom_runtime* runtime, const char* path, size_t path_size,
                                             const fathom_model_options* options, fathom_memory_needs* needs);

/* ---- Text and tokens ------------------------------------------------------------------------------------------------- */
/* Each function returns FATHOM_NOT_FOUND for a checkpoint without tokenizer. */

#define FATHOM_ENCODE_PARSE_SPECIAL 1u /* recognise special tokens written in the text; not for text from end users */
#define FATHOM_ENCODE_ADD_SPECIAL 2u   /* add the tokens that the checkpoint puts around a text, usually the begin token */

/* Tokens of a text. */
FATHOM_API int32_t fathom_encode(const fathom_model* model, const char* text, size_t text_size, uint32_t flags, int32_t* tokens,
                                 size_t capacity, size_t* needed);

#define FATHOM_DECODE_KEEP_SPECIAL 1u /* special tokens stay in the text */

/* Text of tokens, not zero-terminated. FATHOM_INVALID_ARGUMENT for an id outside the vocabulary. */
FATHOM_API int32_t fathom_decode(const fathom_model* model, const int32_t* tokens, size_t token_count, uint32_t flags,
                                 char* text, size_t capacity, size_t* needed);

/* The token with exactly this text, also a special one; FATHOM_NOT_FOUND when there is none. */
FATHOM_API int32_t fathom_find_token(const fathom_model* model, const char* text, size_t text_size, int32_t* token);

typedef struct fathom_message {
  const char* role; /* "system", "user" or "assistant" */
  size_t role_size;
  const char* content; /* plain text: a control token in it stays characters */
  size_t content_size;
} fathom_message;

typedef struct fathom_chat_options {
  uint32_t struct_size;
  uint32_t thinking;  /* 1: the answer begins with reasoning, where the model has the choice */
  const char* format; /* a built-in format's name; empty: the checkpoint's own */
  size_t format_size;
  uint32_t no_generation_prompt; /* 1: end after the last message, not where the answer begins */
  uint32_t reserved;
} fathom_chat_options;

/* Tokens of a conversation in the model's own format. FATHOM_UNSUPPORTED when that format is not built in,
 * FATHOM_INVALID_ARGUMENT when `format` names no built-in format. The error text lists the names. */
FATHOM_API int32_t fathom_encode_chat(const fathom_model* model, const fathom_message* messages, size_t message_count,
                                      const fathom_chat_options* options, int32_t* tokens, size_t capacity, size_t* needed);

/* ---- Session: making one ----------------------------------------------------------------------------------------------- */

typedef struct fathom_session fathom_session;

/* How the next token is chosen. All zero: always the likeliest token. The steps, in this order: repetition, frequency and
 * presence penalties, temperature, top_k, top_p, min_p, a random draw. */
typedef struct fathom_sampling_options {
  uint32_t struct_size;
  float temperature;        /* 0: the likeliest token */
  float top_p;              /* keep the fewest likeliest tokens whose probabilities reach it; 0 means 1: all */
  float min_p;              /* drop tokens less likely than this times the likeliest */
  float repetition_penalty; /* logits of tokens seen are divided (positive) or multiplied (negative) by it; 0 means 1: none */
  float frequency_penalty;  /* subtracted for each time the token was seen */
  float presence_penalty;   /* subtracted once if the token was seen */
  int32_t top_k;            /* keep this many; 0: all */
  int32_t penalty_window;   /* number of last tokens that count as seen, with the prompt; 0 means 256 */
  uint32_t reserved;
  uint64_t seed; /* the same seed draws the same tokens from the same logits */
} fathom_sampling_options;

/* Writes the sampling that the checkpoint recommends: generation_config.json of a folder, general.sampling.* of a GGUF file.
 * The temperature is 0 where it recommends nothing. A value of another type or out of range is left out, with a warning in the
 * log. The seed is 0: set one of your own. A session uses a recommendation only when its options have it. */
FATHOM_API int32_t fathom_model_recommended_sampling(const fathom_model* model, fathom_sampling_options* sampling);

typedef struct fathom_string {
  const char* data;
  size_t size;
} fathom_string;

/* Where generation ends, besides the end of the context. */
typedef struct fathom_stop_options {
  uint32_t struct_size;
  uint32_t ignore_stop_tokens; /* 1: continue past the model's own stop tokens */
  const int32_t* tokens;       /* further stop tokens */
  size_t token_count;
  const fathom_string* strings; /* generation ends where one appears in the text, also across tokens */
  size_t string_count;
} fathom_stop_options;

/* All of it is copied. */
typedef struct fathom_session_options {
  uint32_t struct_size;
  int32_t cache;                           /* FATHOM_CACHE_* */
  int64_t context_length;                  /* tokens it can hold; 0: the model's context, at most 8192 */
  const fathom_sampling_options* sampling; /* may be NULL */
  const fathom_stop_options* stop;         /* may be NULL */
  int32_t chunk_rows;                      /* most prompt tokens that go through the model together; 0: 512 */
  int32_t top_logprobs;  /* 1 to 20: likeliest tokens to keep for fathom_session_read_logprobs; 0: none, at no cost */
  uint32_t trace_routes; /* 1: keep all choices of experts for fathom_session_read_routes */
  uint32_t count_routes; /* 1: keep totals of choices for fathom_session_route_totals */
} fathom_session_options;

/* All memory is taken here; steps take none, but for text, tokens, probabilities and routes that are not read. The scratch
 * memory of steps is the model's, which sessions share: a step that finds all of it in use by other steps, under way or paused
 * by their budgets, takes more, and returns FATHOM_OUT_OF_MEMORY, with the session as it was, where there is none. */
FATHOM_API int32_t fathom_session_create(const fathom_model* model, const fathom_session_options* options,
                                         fathom_session** session);
FATHOM_API void fathom_session_release(fathom_session* session);

/* The memory that fathom_session_create would take. */
FATHOM_API int32_t fathom_session_memory_needs(const fathom_model* model, const fathom_session_options* options,
                                               fathom_memory_needs* needs);

/* ---- Session: working --------------------------------------------------------------------------------------------------- */

/* Queues tokens at the end of the timeline and computes nothing. FATHOM_INVALID_ARGUMENT for an id outside the vocabulary and
 * FATHOM_CONTEXT_FULL when they do not fit; then none is queued. It ends a stop: the next step generates again. */
FATHOM_API int32_t fathom_session_append(fathom_session* session, const int32_t* tokens, size_t count);

#define FATHOM_STOP_NONE 0         /* not stopped: step again */
#define FATHOM_STOP_TOKEN 1        /* the model ended its turn */
#define FATHOM_STOP_STRING 2       /* a stop string appeared */
#define FATHOM_STOP_CONTEXT_FULL 3 /* no room for another token */
#define FATHOM_STOP_CANCELLED 4    /* fathom_session_cancel */

#define FATHOM_NO_NEW_TOKENS (-1)

typedef struct fathom_step_options {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t budget_us;      /* return after about this many microseconds; 0: no limit */
  int64_t max_new_tokens; /* return after this many generated tokens; 0 means 1; FATHOM_NO_NEW_TOKENS: only process the queue */
} fathom_step_options;

typedef struct fathom_step_result {
  uint32_t struct_size;
  int32_t stop;           /* FATHOM_STOP_* */
  int64_t prompt_tokens;  /* queued tokens processed in this step */
  int64_t new_tokens;     /* tokens generated in this step */
  int64_t queued_tokens;  /* tokens still queued, because the budget ended */
  double longest_unit_us; /* the longest piece of work that could not be interrupted */
} fathom_step_result;

/* Works: takes in what is queued, then generates; a budget stops it anywhere, also inside a token, and the next step resumes
 * exactly there. `result` may be NULL. FATHOM_WRONG_STATE when there is nothing to go on from. FATHOM_CORRUPT_FILE when the
 * model's logits are NaN or infinite: nothing is drawn from them, the error tells position and count, and the session can be
 * rewound. After a failure inside, for want of memory for text say, the session stands where it came to, and the next step
 * goes on from there. */
FATHOM_API int32_t fathom_session_step(fathom_session* session, const fathom_step_options* options, fathom_step_result* result);

/* Receives generated text: whole characters, not zero-terminated. Any return value but 0 ends the generation. */
typedef int32_t (*fathom_text_sink)(void* user, const char* text, size_t text_size);

/* Steps until generation ends or `max_new_tokens` (0: no limit) are generated. `sink` receives the text after each token, as
 * fathom_session_read_text would return it. The result sums up all steps. Its stop is FATHOM_STOP_CANCELLED when the sink ended
 * the generation. */
FATHOM_API int32_t fathom_session_generate(fathom_session* session, int64_t max_new_tokens, fathom_text_sink sink, void* user,
                                           fathom_step_result* result);

/* A step under way returns soon with FATHOM_STOP_CANCELLED; without one, the next step does, unless an append, sync, rewind,
 * reset or restore comes first. From any thread, and from a signal handler. NULL is ignored. */
FATHOM_API void fathom_session_cancel(fathom_session* session);

/* ---- Session: reading --------------------------------------------------------------------------------------------------- */

/* The text generated since the last read: whole characters, not zero-terminated, without stop tokens and stop strings. Text
 * that may begin a stop string waits until that is decided. A read consumes all of the text. A call that asks for the size, or
 * has too small a buffer, consumes nothing. */
FATHOM_API int32_t fathom_session_read_text(fathom_session* session, char* text, size_t capacity, size_t* needed);
/* The tokens generated since the last read. Consumes as fathom_session_read_text does. */
FATHOM_API int32_t fathom_session_read_tokens(fathom_session* session, int32_t* tokens, size_t capacity, size_t* needed);

typedef struct fathom_logprob {
  int32_t token;
  float logprob; /* natural logarithm of the probability before penalties, temperature and filters */
} fathom_logprob;

/* Log-probabilities of the tokens generated since the last read, in groups of 1 + top_logprobs: the token itself, then the
 * likeliest tokens. Consumes as fathom_session_read_text does. FATHOM_WRONG_STATE without top_logprobs. */
FATHOM_API int32_t fathom_session_read_logprobs(fathom_session* session, fathom_logprob* logprobs, size_t capacity,
                                                size_t* needed);

/* The whole timeline: all appended and generated tokens, with those still queued. */
FATHOM_API int32_t fathom_session_tokens(const fathom_session* session, int32_t* tokens, size_t capacity, size_t* needed);

/* Logits after the last processed token, info.vocab_size of them. Borrowed: valid until the next call on this session.
 * FATHOM_WRONG_STATE while there are none. */
FATHOM_API int32_t fathom_session_logits(const fathom_session* session, const float** logits, size_t* count);

/* ---- Session: changing -------------------------------------------------------------------------------------------------- */

/* Replaces sampling options. NULL restores the defaults. The random sequence restarts at the seed. */
FATHOM_API int32_t fathom_session_set_sampling(fathom_session* session, const fathom_sampling_options* options);
/* Replaces stop options. NULL restores the defaults. */
FATHOM_API int32_t fathom_session_set_stop(fathom_session* session, const fathom_stop_options* options);

/* Makes `tokens` the timeline. The common beginning with the present timeline is kept, and the rest is queued. *kept (may be
 * NULL) gets the number of tokens kept. If tokens are dropped, unread output is dropped too. */
FATHOM_API int32_t fathom_session_sync(fathom_session* session, const int32_t* tokens, size_t count, size_t* kept);

/* Keeps the first `length` tokens. Drops the rest and all unread output. */
FATHOM_API int32_t fathom_session_rewind(fathom_session* session, size_t length);

/* A second session that continues from here with the same options. Both share the cache so far; memory is taken where one
 * of them may write. Unread output stays with the first session. */
FATHOM_API int32_t fathom_session_fork(const fathom_session* session, fathom_session** fork);

/* Drops the timeline and unread output. Keeps the options. */
FATHOM_API int32_t fathom_session_reset(fathom_session* session);

/* ---- Session: saving ---------------------------------------------------------------------------------------------------- */

/* Takes or fills all `bytes`. Any return value but 0 is a failure. */
typedef int32_t (*fathom_write)(void* user, const void* data, size_t bytes);
typedef int32_t (*fathom_read)(void* user, void* data, size_t bytes);

/* Writes the state of a session: versioned, with a checksum, for one model's fingerprint and one cache format. All `bytes`
 * together are what fathom_session_saved_bytes returns. */
FATHOM_API int32_t fathom_session_save(const fathom_session* session, fathom_write write, void* user);
FATHOM_API int32_t fathom_session_saved_bytes(const fathom_session* session, uint64_t* bytes);

/* Restores a saved state, and the session continues with the same bits. FATHOM_CORRUPT_FILE for other or damaged bytes,
 * FATHOM_INVALID_ARGUMENT for a state of another model or cache format, FATHOM_CONTEXT_FULL for a state that does not fit.
 * After a failure the session is as it was. */
FATHOM_API int32_t fathom_session_restore(fathom_session* session, fathom_read read, void* user);

/* ---- Routing: the choice of experts -------------------------------------------------------------------------------------- */

/* One expert chosen for one token in one layer. */
typedef struct fathom_route {
  int64_t position;
  int32_t layer;
  int32_t expert;
  float gate; /* the factor of its output */
  int32_t reserved;
} fathom_route;

/* Choices since the last read, ordered by position, layer and expert. Consumes as fathom_session_read_text does.
 * FATHOM_WRONG_STATE without trace_routes. A model without experts has no choices. */
FATHOM_API int32_t fathom_session_read_routes(fathom_session* session, fathom_route* routes, size_t capacity, size_t* needed);

/* How often each expert of a layer was chosen since the session was made or reset, and the sum of its gates: info.experts of
 * each. Either pointer may be NULL. *needed is 0 for a dense layer. FATHOM_WRONG_STATE without count_routes. */
FATHOM_API int32_t fathom_session_route_totals(const fathom_session* session, int32_t layer, uint64_t* counts, double* gates,
                                               size_t capacity, size_t* needed);

/* ---- Batch --------------------------------------------------------------------------------------------------------------- */

typedef struct fathom_batch fathom_batch;

typedef struct fathom_batch_options {
  uint32_t struct_size;
  int32_t rows;     /* most tokens that go through the model together; 0: 512 */
  int32_t sessions; /* most members; 0: 64 */
  uint32_t reserved;
} fathom_batch_options;

/* Makes a batch and takes the memory of its passes. */
FATHOM_API int32_t fathom_batch_create(const fathom_model* model, const fathom_batch_options* options, fathom_batch** batch);
FATHOM_API void fathom_batch_release(fathom_batch* batch);

/* Adds and removes members. Between steps the session's own functions work as before. A released session leaves the batch.
 * FATHOM_INVALID_ARGUMENT for a session of another model, a member of another batch, and a session for which there is no room.
 */
FATHOM_API int32_t fathom_batch_add(fathom_batch* batch, fathom_session* session);
FATHOM_API int32_t fathom_batch_remove(fathom_batch* batch, fathom_session* session);

typedef struct fathom_batch_result {
  uint32_t struct_size;
  int32_t sessions;      /* members */
  int32_t active;        /* members that can generate or have queued tokens */
  int32_t failed;        /* members whose part in this step failed: see fathom_batch_get_result */
  int64_t prompt_tokens; /* of all members together, as in fathom_step_result */
  int64_t new_tokens;
  int64_t queued_tokens;
  double longest_unit_us;
} fathom_batch_result;

/* Steps all members in joint passes. A pass takes one token of each member that generates, then chunks of prompts in turn. The
 * step returns when one member has generated max_new_tokens, so that no member waits for the prompt of another. It also returns
 * when no member has work, or when the budget ends. A failure of one member does not affect the others; the status is
 * FATHOM_OK. */
FATHOM_API int32_t fathom_batch_step(fathom_batch* batch, const fathom_step_options* options, fathom_batch_result* result);

/* The result of the last step for one member. Returns the status of the member's part and sets its error text. *result is
 * filled whenever the session is a member. */
FATHOM_API int32_t fathom_batch_get_result(const fathom_batch* batch, const fathom_session* session,
                                           fathom_step_result* result);

#ifdef __cplusplus
}
#endif

#endif
