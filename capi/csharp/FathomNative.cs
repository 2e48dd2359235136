// Generated from fathom.h by capi/generate.py. Do not edit.
// Unity: put libfathom into Assets/Plugins. Pointers may be IntPtr.Zero or null where fathom.h says NULL.
using System;
using System.Runtime.InteropServices;

namespace Fathom
{
    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    public delegate int fathom_progress(IntPtr user, double done, IntPtr what);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    public delegate int fathom_text_sink(IntPtr user, IntPtr text, UIntPtr text_size);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    public delegate int fathom_write(IntPtr user, IntPtr data, UIntPtr bytes);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    public delegate int fathom_read(IntPtr user, IntPtr data, UIntPtr bytes);

    [StructLayout(LayoutKind.Sequential)]
    public struct fathom_allocator
    {
        public uint struct_size;
        public uint reserved;
        public IntPtr user;
        public IntPtr allocate;
        public IntPtr release;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct fathom_task_system
    {
        public uint struct_size;
        public int concurrency;
        public IntPtr user;
        public IntPtr run;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct fathom_file_system
    {
        public uint struct_size;
        public uint reserved;
        public IntPtr user;
        public IntPtr open;
        public IntPtr size;
        public IntPtr read_at;
        public IntPtr map;
        public IntPtr unmap;
        public IntPtr close;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct fathom_log_sink
    {
        public uint struct_size;
        public uint reserved;
        public IntPtr user;
        public IntPtr write;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct fathom_runtime_options
    {
        public uint struct_size;
        public int threads;
        public IntPtr isa_limit;
        public UIntPtr isa_limit_size;
        public IntPtr allocator;
        public IntPtr tasks;
        public IntPtr files;
        public IntPtr log;
        public uint invariant;
        public uint reserved;
        public IntPtr streams;
        public UIntPtr streams_size;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct fathom_runtime_info
    {
        public uint struct_size;
        public int threads;
        public IntPtr isa;
        public long resident_bytes;
        public long peak_resident_bytes;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct fathom_model_options
    {
        public uint struct_size;
        public uint verify;
        public IntPtr progress;
        public IntPtr progress_user;
        public uint lazy;
        public uint read;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct fathom_memory_file
    {
        public IntPtr name;
        public UIntPtr name_size;
        public IntPtr data;
        public UIntPtr data_size;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct fathom_model_info
    {
        public uint struct_size;
        public uint has_tokenizer;
        public IntPtr family;
        public IntPtr container;
        public IntPtr name;
        public IntPtr chat_format;
        public long layers;
        public long hidden_size;
        public long vocab_size;
        public long context_length;
        public long heads;
        public long kv_heads;
        public long experts;
        public long experts_per_token;
        public long parameters;
        public long weight_bytes;
        public long cache_values_per_token;
        public int automatic_cache;
        public int bos_token;
        public int eos_token;
        public int reserved;
        public IntPtr streams;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct fathom_memory_needs
    {
        public uint struct_size;
        public uint reserved;
        public long mapped_bytes;
        public long weights_bytes;
        public long cache_bytes;
        public long scratch_bytes;
        public long other_bytes;
        public long peak_bytes;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct fathom_message
    {
        public IntPtr role;
        public UIntPtr role_size;
        public IntPtr content;
        public UIntPtr content_size;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct fathom_chat_options
    {
        public uint struct_size;
        public uint thinking;
        public IntPtr format;
        public UIntPtr format_size;
        public uint no_generation_prompt;
        public uint reserved;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct fathom_sampling_options
    {
        public uint struct_size;
        public float temperature;
        public float top_p;
        public float min_p;
        public float repetition_penalty;
        public float frequency_penalty;
        public float presence_penalty;
        public int top_k;
        public int penalty_window;
        public uint reserved;
        public ulong seed;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct fathom_string
    {
        public IntPtr data;
        public UIntPtr size;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct fathom_stop_options
    {
        public uint struct_size;
        public uint ignore_stop_tokens;
        public IntPtr tokens;
        public UIntPtr token_count;
        public IntPtr strings;
        public UIntPtr string_count;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct fathom_session_options
    {
        public uint struct_size;
        public int cache;
        public long context_length;
        public IntPtr sampling;
        public IntPtr stop;
        public int chunk_rows;
        public int top_logprobs;
        public uint trace_routes;
        public uint count_routes;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct fathom_step_options
    {
        public uint struct_size;
        public uint reserved;
        public long budget_us;
        public long max_new_tokens;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct fathom_step_result
    {
        public uint struct_size;
        public int stop;
        public long prompt_tokens;
        public long new_tokens;
        public long queued_tokens;
        public double longest_unit_us;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct fathom_logprob
    {
        public int token;
        public float logprob;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct fathom_route
    {
        public long position;
        public int layer;
        public int expert;
        public float gate;
        public int reserved;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct fathom_batch_options
    {
        public uint struct_size;
        public int rows;
        public int sessions;
        public uint reserved;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct fathom_batch_result
    {
        public uint struct_size;
        public int sessions;
        public int active;
        public int failed;
        public long prompt_tokens;
        public long new_tokens;
        public long queued_tokens;
        public double longest_unit_us;
    }

    public static class Native
    {
        const string Library = "fathom";

        public const int FATHOM_VERSION_MAJOR = 1;
        public const int FATHOM_VERSION_MINOR = 0;
        public const int FATHOM_VERSION_PATCH = 0;
        public const int FATHOM_OK = 0;
        public const int FATHOM_INVALID_ARGUMENT = 1;
        public const int FATHOM_NOT_FOUND = 2;
        public const int FATHOM_IO_ERROR = 3;
        public const int FATHOM_CORRUPT_FILE = 4;
        public const int FATHOM_UNSUPPORTED = 5;
        public const int FATHOM_OUT_OF_MEMORY = 6;
        public const int FATHOM_CONTEXT_FULL = 7;
        public const int FATHOM_CANCELLED = 8;
        public const int FATHOM_CALLBACK_FAILED = 9;
        public const int FATHOM_WRONG_STATE = 10;
        public const int FATHOM_INTERNAL = 11;
        public const int FATHOM_BUFFER_TOO_SMALL = 12;
        public const int FATHOM_MEMORY_WEIGHTS = 0;
        public const int FATHOM_MEMORY_CACHE = 1;
        public const int FATHOM_MEMORY_SCRATCH = 2;
        public const int FATHOM_MEMORY_OTHER = 3;
        public const int FATHOM_LOG_DEBUG = 0;
        public const int FATHOM_LOG_INFO = 1;
        public const int FATHOM_LOG_WARNING = 2;
        public const int FATHOM_LOG_ERROR = 3;
        public const int FATHOM_CACHE_AUTOMATIC = 0;
        public const int FATHOM_CACHE_F32 = 1;
        public const int FATHOM_CACHE_F16 = 2;
        public const int FATHOM_CACHE_BF16 = 3;
        public const int FATHOM_CACHE_Q8_0 = 4;
        public const int FATHOM_FINGERPRINT_SIZE = 32;
        public const uint FATHOM_ENCODE_PARSE_SPECIAL = 1u;
        public const uint FATHOM_ENCODE_ADD_SPECIAL = 2u;
        public const uint FATHOM_DECODE_KEEP_SPECIAL = 1u;
        public const int FATHOM_STOP_NONE = 0;
        public const int FATHOM_STOP_TOKEN = 1;
        public const int FATHOM_STOP_STRING = 2;
        public const int FATHOM_STOP_CONTEXT_FULL = 3;
        public const int FATHOM_STOP_CANCELLED = 4;
        public const long FATHOM_NO_NEW_TOKENS = -1;

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern IntPtr fathom_version();

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern IntPtr fathom_status_name(int status);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern IntPtr fathom_last_error();

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_runtime_create(ref fathom_runtime_options options, out IntPtr runtime);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern void fathom_runtime_release(IntPtr runtime);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_runtime_get_info(IntPtr runtime, ref fathom_runtime_info info);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_model_open(IntPtr runtime, byte[] path, UIntPtr path_size, ref fathom_model_options options, out IntPtr model);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_model_open_memory(IntPtr runtime, fathom_memory_file[] files, UIntPtr file_count, ref fathom_model_options options, out IntPtr model);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern void fathom_model_release(IntPtr model);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_model_get_info(IntPtr model, ref fathom_model_info info);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_model_text(IntPtr model, byte[] key, UIntPtr key_size, byte[] text, UIntPtr capacity, out UIntPtr needed);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_model_text_key(IntPtr model, UIntPtr index, byte[] key, UIntPtr capacity, out UIntPtr needed);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_model_fingerprint(IntPtr model, byte[] fingerprint);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_model_memory_needs(IntPtr runtime, byte[] path, UIntPtr path_size, ref fathom_model_options options, ref fathom_memory_needs needs);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_encode(IntPtr model, byte[] text, UIntPtr text_size, uint flags, int[] tokens, UIntPtr capacity, out UIntPtr needed);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_decode(IntPtr model, int[] tokens, UIntPtr token_count, uint flags, byte[] text, UIntPtr capacity, out UIntPtr needed);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_find_token(IntPtr model, byte[] text, UIntPtr text_size, out int token);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_encode_chat(IntPtr model, fathom_message[] messages, UIntPtr message_count, ref fathom_chat_options options, int[] tokens, UIntPtr capacity, out UIntPtr needed);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_model_recommended_sampling(IntPtr model, ref fathom_sampling_options sampling);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_session_create(IntPtr model, ref fathom_session_options options, out IntPtr session);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern void fathom_session_release(IntPtr session);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_session_memory_needs(IntPtr model, ref fathom_session_options options, ref fathom_memory_needs needs);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_session_append(IntPtr session, int[] tokens, UIntPtr count);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_session_step(IntPtr session, ref fathom_step_options options, ref fathom_step_result result);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_session_generate(IntPtr session, long max_new_tokens, fathom_text_sink sink, IntPtr user, ref fathom_step_result result);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern void fathom_session_cancel(IntPtr session);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_session_read_text(IntPtr session, byte[] text, UIntPtr capacity, out UIntPtr needed);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_session_read_tokens(IntPtr session, int[] tokens, UIntPtr capacity, out UIntPtr needed);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_session_read_logprobs(IntPtr session, [In, Out] fathom_logprob[] logprobs, UIntPtr capacity, out UIntPtr needed);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_session_tokens(IntPtr session, int[] tokens, UIntPtr capacity, out UIntPtr needed);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_session_logits(IntPtr session, out IntPtr logits, out UIntPtr count);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_session_set_sampling(IntPtr session, ref fathom_sampling_options options);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_session_set_stop(IntPtr session, ref fathom_stop_options options);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_session_sync(IntPtr session, int[] tokens, UIntPtr count, out UIntPtr kept);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_session_rewind(IntPtr session, UIntPtr length);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_session_fork(IntPtr session, out IntPtr forked);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_session_reset(IntPtr session);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_session_save(IntPtr session, fathom_write write, IntPtr user);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_session_saved_bytes(IntPtr session, out ulong bytes);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_session_restore(IntPtr session, fathom_read read, IntPtr user);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_session_read_routes(IntPtr session, [In, Out] fathom_route[] routes, UIntPtr capacity, out UIntPtr needed);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_session_route_totals(IntPtr session, int layer, ulong[] counts, double[] gates, UIntPtr capacity, out UIntPtr needed);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_batch_create(IntPtr model, ref fathom_batch_options options, out IntPtr batch);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern void fathom_batch_release(IntPtr batch);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_batch_add(IntPtr batch, IntPtr session);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_batch_remove(IntPtr batch, IntPtr session);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_batch_step(IntPtr batch, ref fathom_step_options options, ref fathom_batch_result result);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        public static extern int fathom_batch_get_result(IntPtr batch, IntPtr session, ref fathom_step_result result);
    }
}
