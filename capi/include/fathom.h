/* fathom: large language models on CPUs, inside your process. This header is the manual of the C interface.
 *
 * OBJECTS, each behind an opaque handle:
 *
 *   runtime   what the host lends: memory, threads, files, a log; and the instruction set
 *   model     immutable weights and their tokenizer; any number of sessions share one
 *   session   one text under way: its cache, its sampler, what it has written
 *   batch     sessions of one model that step together, so that weights are read once for all of them
 *
 * OWNERSHIP. A create, open or fork gives one reference, the matching release takes it back; release(NULL) does nothing. An
 * object keeps what it was made from alive, so the order of releases does not matter. Pointers passed in are needed during the
 * call only; the hooks of a runtime and the bytes of fathom_model_open_memory are the exceptions and say so. Pointers given
 * out are few and say how long they live.
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
 * VARIABLE OUTPUT goes to the caller's buffer: `capacity` elements at most, and *needed is set to how many there are. With
 * NULL and 0 a call only asks for the size. When the buffer is too small, nothing is written or consumed and the status is
 * FATHOM_BUFFER_TOO_SMALL; *needed is set all the same.
 *
 * THREADS. Functions on a const handle may be called from any number of threads at once, others from one at a time for one
 * handle; a call that finds its session or batch in use returns FATHOM_WRONG_STATE and does nothing. fathom_session_cancel is
 * the exception: any thread, any time before the release. Releases may happen on any thread.
 *
 * CALLBACKS run on the thread of the call that caused them, tasks of a task system aside. They may use other objects, not
 * the one they were called for (FATHOM_WRONG_STATE). One that fails, or lets a C++ exception out, makes the call fail with
 * FATHOM_CALLBACK_FAILED; nothing is lost.
 *
 * UNITS. Sizes in bytes, times in microseconds, positions in tokens from 0, probabilities as natural logarithms.
 *
 * SAME BITS. For one build and instruction set, logits and tokens do not depend on the number of threads, on a task system's
 * order, or on where a budget cuts. With fathom_runtime_options.invariant they do not depend on how a prompt is cut into
 * appends, on batch mates, or on fork, rewind, sync and restore either.
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

/* Of the library that runs, "1.0.0"; the three numbers above are this header's. Lives as long as the library is loaded. */
FATHOM_API const char* fathom_version(void);

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

/* "ok", "corrupt_file", ...; "unknown" for other values. Lives as long as the library is loaded. */
FATHOM_API const char* fathom_status_name(int32_t status);

/* Why the last call on this thread that returns a status failed; "" when it did not. Never NULL, zero-terminated UTF-8, valid
 * until this thread's next such call. */
FATHOM_API const char* fathom_last_error(void);

/* ---- Runtime: what the host lends ------------------------------------------------------------------------------------- */

#define FATHOM_MEMORY_WEIGHTS 0 /* weights that cannot be used where they lie */
#define FATHOM_MEMORY_CACHE 1   /* what sessions remember */
#define FATHOM_MEMORY_SCRATCH 2 /* buffers of a pass, which the sessions and batches of a model share */
#define FATHOM_MEMORY_OTHER 3

/* Both functions from any thread. `alignment` is a power of two; what is given need not be cleared. `allocate` returns NULL
 * when there is no memory. Every block comes back through `release` with the numbers it was asked for with. Names, tables
 * and other bookkeeping, a few megabytes for a model, come from the C++ heap. */
typedef struct fathom_allocator {
  uint32_t struct_size;
  uint32_t reserved;
  void* user;
  void* (*allocate)(void* user, size_t bytes, size_t alignment, int32_t purpose);
  void (*release)(void* user, void* memory, size_t bytes, size_t alignment, int32_t purpose);
} fathom_allocator;

/* Fork and join. `run` calls task(context, i) for each i in [0, count), on any threads and in any order, and returns 0 when all
 * have returned; a serial loop is correct. Anything else, or a task left out, is a failure: fathom then does the missing
 * tasks itself and the step ends with FATHOM_CALLBACK_FAILED, its result filled and its session intact. Several threads may
 * call `run` at once. `concurrency`: how many calls may be in flight at once, at least 1. */
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

/* From any thread; the message is not zero-terminated and valid during the call. Never holds prompts or generated text. */
typedef struct fathom_log_sink {
  uint32_t struct_size;
  uint32_t reserved;
  void* user;
  void (*write)(void* user, int32_t level, const char* message, size_t message_size);
} fathom_log_sink;

typedef struct fathom_runtime fathom_runtime;

/* The hooks are copied; what their `user` points to must outlive the runtime and all that was made from it. NULL: the process
 * heap; a pool of `threads` whose workers sleep when there is nothing to do; the operating system's files; silence. On
 * processors with AMX, Linux is asked to let the process use its registers, once and for good; `isa_limit` "avx512_bf16" leaves
 * that. */
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
  uint32_t invariant; /* 1: bits do not depend on chunks, batch mates and cache hits; slower on long prompts */
  uint32_t reserved;
} fathom_runtime_options;

FATHOM_API int32_t fathom_runtime_create(const fathom_runtime_options* options, fathom_runtime** runtime);
FATHOM_API void fathom_runtime_release(fathom_runtime* runtime);

typedef struct fathom_runtime_info {
  uint32_t struct_size;
  int32_t threads;             /* tasks that run at once */
  const char* isa;             /* in use; zero-terminated, lives as long as the library is loaded */
  int64_t resident_bytes;      /* of the whole process, mapped files included; 0 where unknown */
  int64_t peak_resident_bytes; /* likewise, since the process began */
} fathom_runtime_info;

FATHOM_API int32_t fathom_runtime_get_info(const fathom_runtime* runtime, fathom_runtime_info* info);

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
#define FATHOM_CACHE_Q8_0 4 /* 8 bits and a scale for 32: a little coarser, half of F16; heads have to be multiples of 32 */

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
  int64_t heads;
  int64_t kv_heads;
  int64_t experts; /* of a layer, shared ones apart; 0 for dense models */
  int64_t experts_per_token;
  int64_t parameters;
  int64_t weight_bytes;           /* as stored */
  int64_t cache_values_per_token; /* times 4 (F32), 2 (F16, BF16) or 34/32 (Q8_0): bytes of a token */
  int32_t automatic_cache;        /* the FATHOM_CACHE_* that FATHOM_CACHE_AUTOMATIC means for this model */
  int32_t bos_token;              /* -1: there is none */
  int32_t eos_token;              /* -1: there is none */
  int32_t reserved;
} fathom_model_info;

FATHOM_API int32_t fathom_model_get_info(const fathom_model* model, fathom_model_info* info);

/* What the checkpoint says of itself under `key`, as text: a metadata key of a GGUF file ("general.name"), a dotted path into a
 * folder's config.json ("rope_scaling.type"), "chat_template". FATHOM_NOT_FOUND when there is no such key. */
FATHOM_API int32_t fathom_model_text(const fathom_model* model, const char* key, size_t key_size, char* text, size_t capacity,
                                     size_t* needed);

/* The keys fathom_model_text knows, by index from 0; FATHOM_NOT_FOUND past the last. */
FATHOM_API int32_t fathom_model_text_key(const fathom_model* model, size_t index, char* key, size_t capacity, size_t* needed);

#define FATHOM_FINGERPRINT_SIZE 32

/* Writes FATHOM_FINGERPRINT_SIZE bytes that are equal for equal checkpoints, wherever they lie. An identity, not a proof
 * against forgery: not every weight is read for it. */
FATHOM_API int32_t fathom_model_fingerprint(const fathom_model* model, uint8_t* fingerprint);

/* Memory by what it is for. Weights, cache and scratch come from the allocator. */
typedef struct fathom_memory_needs {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t mapped_bytes;  /* of files, used where they lie; the system may drop and reread them */
  int64_t weights_bytes; /* of weights that are read or moved into memory; the file's pages go in exchange */
  int64_t cache_bytes;
  int64_t scratch_bytes; /* of steps; sessions of a model share it, unless they step at the same time */
  int64_t other_bytes;   /* a session's own: timeline, logits, what is not read; partly from the C++ heap */
  int64_t peak_bytes;  /* the most at any moment, loading included, mapped_bytes apart */
} fathom_memory_needs;

/* What fathom_model_open would take; reads headers, no weights. */
FATHOM_API int32_t fathom_model_memory_needs(const fathom_runtime* runtime, const char* path, size_t path_size,
                                             const fathom_model_options* options, fathom_memory_needs* needs);

/* ---- Text and tokens ------------------------------------------------------------------------------------------------- */
/* FATHOM_NOT_FOUND for a checkpoint without tokenizer. */

#define FATHOM_ENCODE_PARSE_SPECIAL 1u /* special tokens written in the text count as such; not for text from end users */
#define FATHOM_ENCODE_ADD_SPECIAL 2u   /* add what the checkpoint puts around a text, usually the begin token */

FATHOM_API int32_t fathom_encode(const fathom_model* model, const char* text, size_t text_size, uint32_t flags, int32_t* tokens,
                                 size_t capacity, size_t* needed);

#define FATHOM_DECODE_KEEP_SPECIAL 1u /* special tokens stay in the text */

/* The text is not zero-terminated. Ids outside the vocabulary are FATHOM_INVALID_ARGUMENT. */
FATHOM_API int32_t fathom_decode(const fathom_model* model, const int32_t* tokens, size_t token_count, uint32_t flags,
                                 char* text, size_t capacity, size_t* needed);

/* The token that is written so, special ones included; FATHOM_NOT_FOUND when there is none. */
FATHOM_API int32_t fathom_find_token(const fathom_model* model, const char* text, size_t text_size, int32_t* token);

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
  uint32_t reserved;
} fathom_chat_options;

/* Tokens of a conversation in the model's own format. FATHOM_UNSUPPORTED when that is none of the built-in ones,
 * FATHOM_INVALID_ARGUMENT when `format` is none of their names; the error text has the names. */
FATHOM_API int32_t fathom_encode_chat(const fathom_model* model, const fathom_message* messages, size_t message_count,
                                      const fathom_chat_options* options, int32_t* tokens, size_t capacity, size_t* needed);

/* ---- Session: making one ----------------------------------------------------------------------------------------------- */

typedef struct fathom_session fathom_session;

/* How the next token is chosen. All zero: always the likeliest one. In this order: repetition, frequency and presence
 * penalties, temperature, top_k, top_p, min_p, a draw. */
typedef struct fathom_sampling_options {
  uint32_t struct_size;
  float temperature;        /* 0: the likeliest token */
  float top_p;              /* keep the likeliest tokens that together reach it; 0 means 1: all */
  float min_p;              /* drop what is less likely than this times the likeliest */
  float repetition_penalty; /* logits of tokens seen are divided (positive) or multiplied (negative) by it; 0 means 1: none */
  float frequency_penalty;  /* subtracted once for each time a token was seen */
  float presence_penalty;   /* subtracted once if it was seen */
  int32_t top_k;            /* keep so many; 0: all */
  int32_t penalty_window;   /* how many of the last tokens count as seen, prompt included; 0 means 256 */
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

/* Where generation ends, beside the end of the context. */
typedef struct fathom_stop_options {
  uint32_t struct_size;
  uint32_t ignore_stop_tokens; /* 1: go on past the model's own stop tokens */
  const int32_t* tokens;       /* further stop tokens */
  size_t token_count;
  const fathom_string* strings; /* generation ends where one appears in the text, also across token borders */
  size_t string_count;
} fathom_stop_options;

/* Everything is copied. */
typedef struct fathom_session_options {
  uint32_t struct_size;
  int32_t cache;                           /* FATHOM_CACHE_* */
  int64_t context_length;                  /* tokens it can hold; 0: the model's, at most 8192 */
  const fathom_sampling_options* sampling; /* may be NULL */
  const fathom_stop_options* stop;         /* may be NULL */
  int32_t chunk_rows;                      /* at most so many prompt tokens go through the model together; 0: 512 */
  int32_t top_logprobs;                    /* 1 to 20: keep so many for fathom_session_read_logprobs; 0: none, at no cost */
  uint32_t trace_routes;                   /* 1: keep every choice of experts for fathom_session_read_routes */
  uint32_t count_routes;                   /* 1: keep totals for fathom_session_route_totals */
} fathom_session_options;

/* All memory is taken here; steps take none, but for text, tokens, probabilities and routes that are not read. The scratch
 * memory of steps is the model's, which sessions share: a step that finds all of it in use by other steps, under way or paused
 * by their budgets, takes more, and returns FATHOM_OUT_OF_MEMORY, with the session as it was, where there is none. */
FATHOM_API int32_t fathom_session_create(const fathom_model* model, const fathom_session_options* options,
                                         fathom_session** session);
FATHOM_API void fathom_session_release(fathom_session* session);

/* What fathom_session_create would take. */
FATHOM_API int32_t fathom_session_memory_needs(const fathom_model* model, const fathom_session_options* options,
                                               fathom_memory_needs* needs);

/* ---- Session: working --------------------------------------------------------------------------------------------------- */

/* Queues tokens behind what is there; nothing is computed. FATHOM_INVALID_ARGUMENT for an id outside the vocabulary,
 * FATHOM_CONTEXT_FULL when they do not fit; then none is queued. Ends a stop: generation goes on after it. */
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
  int64_t budget_us;      /* return after about so many microseconds; 0: no limit */
  int64_t max_new_tokens; /* return after so many generated tokens; 0 means 1; FATHOM_NO_NEW_TOKENS: only take in the queue */
} fathom_step_options;

typedef struct fathom_step_result {
  uint32_t struct_size;
  int32_t stop;           /* FATHOM_STOP_* */
  int64_t prompt_tokens;  /* queued tokens taken in during this step */
  int64_t new_tokens;     /* tokens generated during this step */
  int64_t queued_tokens;  /* still waiting, because the budget ended */
  double longest_unit_us; /* the longest piece of work that could not be interrupted */
} fathom_step_result;

/* Works: takes in what is queued, then generates; a budget stops it anywhere, also inside a token, and the next step resumes
 * exactly there. `result` may be NULL. FATHOM_WRONG_STATE when there is nothing to go on from. FATHOM_CORRUPT_FILE when the
 * model's logits are NaN or infinite: nothing is drawn from them, the error tells position and count, and the session can be
 * rewound. After a failure inside, for want of memory for text say, the session stands where it came to, and the next step
 * goes on from there. */
FATHOM_API int32_t fathom_session_step(fathom_session* session, const fathom_step_options* options, fathom_step_result* result);

/* Gets text as it is generated (not zero-terminated, whole characters). Anything but 0 ends the generation. */
typedef int32_t (*fathom_text_sink)(void* user, const char* text, size_t text_size);

/* Steps until generation ends or `max_new_tokens` (0: no limit) are there, and hands the text to `sink` token by token, read as
 * by fathom_session_read_text. The result is that of all steps together; stop is FATHOM_STOP_CANCELLED when the sink ended it.
 */
FATHOM_API int32_t fathom_session_generate(fathom_session* session, int64_t max_new_tokens, fathom_text_sink sink, void* user,
                                           fathom_step_result* result);

/* A step under way returns soon with FATHOM_STOP_CANCELLED; without one, the next step does, unless an append, sync, rewind,
 * reset or restore comes first. From any thread, and from a signal handler. NULL is ignored. */
FATHOM_API void fathom_session_cancel(fathom_session* session);

/* ---- Session: reading --------------------------------------------------------------------------------------------------- */

/* What was generated since the last read: whole characters only; stop tokens and stop strings are not part of it, and text
 * that may be the beginning of a stop string waits until that is decided. Not zero-terminated. A read with a buffer
 * consumes everything; one that asks for the size, or has too little room, nothing. */
FATHOM_API int32_t fathom_session_read_text(fathom_session* session, char* text, size_t capacity, size_t* needed);
FATHOM_API int32_t fathom_session_read_tokens(fathom_session* session, int32_t* tokens, size_t capacity, size_t* needed);

typedef struct fathom_logprob {
  int32_t token;
  float logprob; /* natural logarithm of the probability, before penalties, temperature and filters */
} fathom_logprob;

/* For each generated token since the last read a group of 1 + top_logprobs: the token itself, then the likeliest ones. Consumes
 * as fathom_session_read_text does. FATHOM_WRONG_STATE without top_logprobs. */
FATHOM_API int32_t fathom_session_read_logprobs(fathom_session* session, fathom_logprob* logprobs, size_t capacity,
                                                size_t* needed);

/* The whole timeline: what was appended and generated, queued tokens included. */
FATHOM_API int32_t fathom_session_tokens(const fathom_session* session, int32_t* tokens, size_t capacity, size_t* needed);

/* Logits after the last token taken in, info.vocab_size of them. Borrowed: valid until the next call on this session.
 * FATHOM_WRONG_STATE while there are none. */
FATHOM_API int32_t fathom_session_logits(const fathom_session* session, const float** logits, size_t* count);

/* ---- Session: changing -------------------------------------------------------------------------------------------------- */

/* NULL restores the defaults. The random sequence restarts at the seed. */
FATHOM_API int32_t fathom_session_set_sampling(fathom_session* session, const fathom_sampling_options* options);
FATHOM_API int32_t fathom_session_set_stop(fathom_session* session, const fathom_stop_options* options);

/* Makes `tokens` the timeline: what it shares with the present one from the beginning is kept, the rest is queued. *kept
 * (may be NULL) says how many tokens were kept. What was not read is dropped if anything is. */
FATHOM_API int32_t fathom_session_sync(fathom_session* session, const int32_t* tokens, size_t count, size_t* kept);

/* Keeps the first `length` tokens and forgets the rest, and all output that was not read. */
FATHOM_API int32_t fathom_session_rewind(fathom_session* session, size_t length);

/* A second session that goes on from here with the same options. The cache so far is shared; memory for it is taken where
 * one of the two may write. Output that was not read stays with the first. */
FATHOM_API int32_t fathom_session_fork(const fathom_session* session, fathom_session** fork);

/* Forgets everything but the options, what was not read included. */
FATHOM_API int32_t fathom_session_reset(fathom_session* session);

/* ---- Session: saving ---------------------------------------------------------------------------------------------------- */

/* Takes or fills all `bytes`; anything but 0 is failure. */
typedef int32_t (*fathom_write)(void* user, const void* data, size_t bytes);
typedef int32_t (*fathom_read)(void* user, void* data, size_t bytes);

/* Writes the session's state: versioned, checksummed, tied to the model's fingerprint and the cache's format. `bytes` in all
 * are what fathom_session_saved_bytes says. */
FATHOM_API int32_t fathom_session_save(const fathom_session* session, fathom_write write, void* user);
FATHOM_API int32_t fathom_session_saved_bytes(const fathom_session* session, uint64_t* bytes);

/* Makes the session what was saved; it goes on with the same bits. FATHOM_CORRUPT_FILE for bytes that are no state or a
 * damaged one, FATHOM_INVALID_ARGUMENT for another model's or another cache format, FATHOM_CONTEXT_FULL for a longer one than
 * fits. All or nothing: after a failure the session is as it was. */
FATHOM_API int32_t fathom_session_restore(fathom_session* session, fathom_read read, void* user);

/* ---- Routing: what the experts do ---------------------------------------------------------------------------------------- */

/* One expert chosen for one token in one layer. */
typedef struct fathom_route {
  int64_t position;
  int32_t layer;
  int32_t expert;
  float gate; /* the factor of its output */
  int32_t reserved;
} fathom_route;

/* Choices since the last read, by position, layer, expert. Consumes as fathom_session_read_text does. FATHOM_WRONG_STATE
 * without trace_routes; none for a model without experts. */
FATHOM_API int32_t fathom_session_read_routes(fathom_session* session, fathom_route* routes, size_t capacity, size_t* needed);

/* How often each expert of a layer was chosen since the session was made or reset, and the sum of its gates; info.experts of
 * each, either pointer may be NULL. `needed` is set to 0 for a dense layer. FATHOM_WRONG_STATE without count_routes. */
FATHOM_API int32_t fathom_session_route_totals(const fathom_session* session, int32_t layer, uint64_t* counts, double* gates,
                                               size_t capacity, size_t* needed);

/* ---- Batch --------------------------------------------------------------------------------------------------------------- */

typedef struct fathom_batch fathom_batch;

typedef struct fathom_batch_options {
  uint32_t struct_size;
  int32_t rows;     /* at most so many tokens go through the model together; 0: 512 */
  int32_t sessions; /* at most so many members; 0: 64 */
  uint32_t reserved;
} fathom_batch_options;

FATHOM_API int32_t fathom_batch_create(const fathom_model* model, const fathom_batch_options* options, fathom_batch** batch);
FATHOM_API void fathom_batch_release(fathom_batch* batch);

/* A member stays usable by its own functions between steps, and leaves when it is released. Sessions of other models, members
 * of another batch and one more than there is room for are FATHOM_INVALID_ARGUMENT. */
FATHOM_API int32_t fathom_batch_add(fathom_batch* batch, fathom_session* session);
FATHOM_API int32_t fathom_batch_remove(fathom_batch* batch, fathom_session* session);

typedef struct fathom_batch_result {
  uint32_t struct_size;
  int32_t sessions;      /* members */
  int32_t active;        /* of these, with something to go on with */
  int32_t failed;        /* whose part in this step failed: see fathom_batch_get_result */
  int64_t prompt_tokens; /* of all members together, as in fathom_step_result */
  int64_t new_tokens;
  int64_t queued_tokens;
  double longest_unit_us;
} fathom_batch_result;

/* Works for all members in joint passes: members that generate first, one token each, then prompts in turn, in chunks that fill
 * the rest. max_new_tokens counts for each member; the step returns when one has them, so that nobody waits for another's
 * prompt, when no member has anything left to do, or when the budget ends. One member's failure leaves the others alone and the
 * status FATHOM_OK. */
FATHOM_API int32_t fathom_batch_step(fathom_batch* batch, const fathom_step_options* options, fathom_batch_result* result);

/* What the last step did for one member. Returns the status of its part, with its own error text; *result is filled in any case
 * when the session is a member. */
FATHOM_API int32_t fathom_batch_get_result(const fathom_batch* batch, const fathom_session* session,
                                           fathom_step_result* result);

#ifdef __cplusplus
}
#endif

#endif
