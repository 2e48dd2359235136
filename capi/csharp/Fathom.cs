// fathom for C#: Unity, Mono, .NET. Pull-style: Step a session within a budget, then read its text; no callback crosses the border.
// FathomNative.cs has the declarations, generated from fathom.h, which is their manual.
using System;
using System.Runtime.InteropServices;
using System.Text;

namespace Fathom
{
    // A call failed. Status is one of Native.FATHOM_*.
    public sealed class FathomException : Exception
    {
        public readonly int Status;

        FathomException(int status, string message) : base(message) { Status = status; }

        internal static void Check(int status)
        {
            if (status == Native.FATHOM_OK) return;
            throw new FathomException(status, Utf8.Read(Native.fathom_last_error()));
        }
    }

    static class Utf8
    {
        internal static string Read(IntPtr text)
        {
            int size = 0;
            while (Marshal.ReadByte(text, size) != 0) ++size;
            var bytes = new byte[size];
            Marshal.Copy(text, bytes, 0, size);
            return Encoding.UTF8.GetString(bytes);
        }
        internal static UIntPtr Size(Array array) { return new UIntPtr((uint)array.Length); }
    }

    // Threads and instruction set.
    public sealed class Runtime : IDisposable
    {
        internal IntPtr Handle;

        // threads 0: one for each core the process may use
        public Runtime(int threads = 0, bool invariant = false)
        {
            var options = new fathom_runtime_options();
            options.struct_size = (uint)Marshal.SizeOf(typeof(fathom_runtime_options));
            options.threads = threads;
            options.invariant = invariant ? 1u : 0u;
            FathomException.Check(Native.fathom_runtime_create(ref options, out Handle));
        }
        public void Dispose()
        {
            Native.fathom_runtime_release(Handle);
            Handle = IntPtr.Zero;
        }
    }

    // Weights and tokenizer. Any number of threads and sessions.
    public sealed class Model : IDisposable
    {
        internal IntPtr Handle;

        // A Hugging Face folder or a .gguf file.
        public Model(Runtime runtime, string path)
        {
            var name = Encoding.UTF8.GetBytes(path);
            var options = new fathom_model_options();
            options.struct_size = (uint)Marshal.SizeOf(typeof(fathom_model_options));
            FathomException.Check(Native.fathom_model_open(runtime.Handle, name, Utf8.Size(name), ref options, out Handle));
        }
        public void Dispose()
        {
            Native.fathom_model_release(Handle);
            Handle = IntPtr.Zero;
        }

        public fathom_model_info Info
        {
            get
            {
                var info = new fathom_model_info();
                info.struct_size = (uint)Marshal.SizeOf(typeof(fathom_model_info));
                FathomException.Check(Native.fathom_model_get_info(Handle, ref info));
                return info;
            }
        }
        // The sampling that the checkpoint recommends; the temperature is 0 when it recommends none.
        public fathom_sampling_options RecommendedSampling
        {
            get
            {
                var sampling = new fathom_sampling_options();
                sampling.struct_size = (uint)Marshal.SizeOf(typeof(fathom_sampling_options));
                FathomException.Check(Native.fathom_model_recommended_sampling(Handle, ref sampling));
                return sampling;
            }
        }
        public string Family { get { return Utf8.Read(Info.family); } }

        // Control tokens written in the text stay characters.
        public int[] Encode(string text)
        {
            var bytes = Encoding.UTF8.GetBytes(text);
            UIntPtr needed;
            FathomException.Check(Native.fathom_encode(Handle, bytes, Utf8.Size(bytes), 0, null, UIntPtr.Zero, out needed));
            var tokens = new int[(int)needed];
            if (tokens.Length == 0) return tokens;
            FathomException.Check(Native.fathom_encode(Handle, bytes, Utf8.Size(bytes), 0, tokens, Utf8.Size(tokens), out needed));
            return tokens;
        }

        public string Decode(int[] tokens)
        {
            UIntPtr needed;
            FathomException.Check(Native.fathom_decode(Handle, tokens, Utf8.Size(tokens), 0, null, UIntPtr.Zero, out needed));
            var bytes = new byte[(int)needed];
            if (bytes.Length == 0) return "";
            FathomException.Check(Native.fathom_decode(Handle, tokens, Utf8.Size(tokens), 0, bytes, Utf8.Size(bytes), out needed));
            return Encoding.UTF8.GetString(bytes);
        }

        // One question in the model's own chat format, up to where the answer begins.
        public int[] EncodeQuestion(string question)
        {
            var role = Encoding.UTF8.GetBytes("user");
            var content = Encoding.UTF8.GetBytes(question);
            var held = new[] { GCHandle.Alloc(role, GCHandleType.Pinned), GCHandle.Alloc(content, GCHandleType.Pinned) };
            try
            {
                var messages = new fathom_message[1];
                messages[0].role = held[0].AddrOfPinnedObject();
                messages[0].role_size = Utf8.Size(role);
                messages[0].content = held[1].AddrOfPinnedObject();
                messages[0].content_size = Utf8.Size(content);
                var options = new fathom_chat_options();
                options.struct_size = (uint)Marshal.SizeOf(typeof(fathom_chat_options));
                var one = new UIntPtr(1u);
                UIntPtr needed;
                FathomException.Check(Native.fathom_encode_chat(Handle, messages, one, ref options, null, UIntPtr.Zero, out needed));
                var tokens = new int[(int)needed];
                FathomException.Check(Native.fathom_encode_chat(Handle, messages, one, ref options, tokens, Utf8.Size(tokens), out needed));
                return tokens;
            }
            finally
            {
                foreach (var each in held) each.Free();
            }
        }
    }

    // One timeline of tokens. One thread at a time, Cancel aside.
    public sealed class Session : IDisposable
    {
        IntPtr handle;

        // contextLength 0: the model's, at most 8192; temperature 0: always the likeliest token
        public Session(Model model, long contextLength = 0, float temperature = 0, ulong seed = 0)
            : this(model, new fathom_sampling_options { temperature = temperature, seed = seed }, contextLength)
        {
        }

        // sampling: for example model.RecommendedSampling, with a seed
        public Session(Model model, fathom_sampling_options sampling, long contextLength = 0)
        {
            sampling.struct_size = (uint)Marshal.SizeOf(typeof(fathom_sampling_options));
            var held = GCHandle.Alloc(sampling, GCHandleType.Pinned);
            try
            {
                var options = new fathom_session_options();
                options.struct_size = (uint)Marshal.SizeOf(typeof(fathom_session_options));
                options.context_length = contextLength;
                options.sampling = held.AddrOfPinnedObject();
                FathomException.Check(Native.fathom_session_create(model.Handle, ref options, out handle));
            }
            finally
            {
                held.Free();
            }
        }
        public void Dispose()
        {
            Native.fathom_session_release(handle);
            handle = IntPtr.Zero;
        }

        public void Append(int[] tokens) { FathomException.Check(Native.fathom_session_append(handle, tokens, Utf8.Size(tokens))); }

        // Works for about budgetUs microseconds (0: no limit), and returns after maxNewTokens.
        public fathom_step_result Step(long budgetUs = 0, long maxNewTokens = 1)
        {
            var options = new fathom_step_options();
            options.struct_size = (uint)Marshal.SizeOf(typeof(fathom_step_options));
            options.budget_us = budgetUs;
            options.max_new_tokens = maxNewTokens == 0 ? Native.FATHOM_NO_NEW_TOKENS : maxNewTokens;
            var result = new fathom_step_result();
            result.struct_size = (uint)Marshal.SizeOf(typeof(fathom_step_result));
            FathomException.Check(Native.fathom_session_step(handle, ref options, ref result));
            return result;
        }

        // What was generated since the last read: whole characters only.
        public string ReadText()
        {
            UIntPtr needed;
            FathomException.Check(Native.fathom_session_read_text(handle, null, UIntPtr.Zero, out needed));
            var bytes = new byte[(int)needed];
            if (bytes.Length == 0) return "";
            FathomException.Check(Native.fathom_session_read_text(handle, bytes, Utf8.Size(bytes), out needed));
            return Encoding.UTF8.GetString(bytes);
        }

        public int[] ReadTokens()
        {
            UIntPtr needed;
            FathomException.Check(Native.fathom_session_read_tokens(handle, null, UIntPtr.Zero, out needed));
            var tokens = new int[(int)needed];
            if (tokens.Length == 0) return tokens;
            FathomException.Check(Native.fathom_session_read_tokens(handle, tokens, Utf8.Size(tokens), out needed));
            return tokens;
        }

        public void Rewind(int length) { FathomException.Check(Native.fathom_session_rewind(handle, new UIntPtr((uint)length))); }
        public void Reset() { FathomException.Check(Native.fathom_session_reset(handle)); }
        public void Cancel() { Native.fathom_session_cancel(handle); }
    }
}
