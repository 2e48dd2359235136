// fathom for C#: Unity, Mono, .NET. Pull-style: Step a session within a budget, then read its text.
// FathomNative.cs has the declarations, generated from fathom.h, which is their manual. FathomHandles.cs owns the handles.
using System;
using System.Collections.Generic;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Fathom
{
    // Threads and instruction set. Any number of threads may use one.
    public sealed class Runtime : IDisposable
    {
        internal readonly RuntimeHandle Handle = new RuntimeHandle();

        // threads 0: one for each core the process may use. invariant: results do not depend on prompt chunks and batch mates.
        // Throws FathomException.
        public Runtime(int threads = 0, bool invariant = false)
        {
            var options = new fathom_runtime_options();
            options.struct_size = (uint)Marshal.SizeOf(typeof(fathom_runtime_options));
            options.threads = threads;
            options.invariant = invariant ? 1u : 0u;
            IntPtr made;
            FathomException.Check(Native.fathom_runtime_create(ref options, out made));
            Handle.Own(made);
        }

        // Gives the reference back; a model that was made from the runtime keeps it. Use after this throws ObjectDisposedException.
        public void Dispose() { Handle.Dispose(); }
    }

    // One entry of a conversation. Role: "system", "user" or "assistant".
    public struct ChatMessage
    {
        public readonly string Role, Content;
        public ChatMessage(string role, string content) { Role = role; Content = content; }
    }

    // Weights and tokenizer. Immutable: any number of threads and sessions may use one.
    public sealed class Model : IDisposable
    {
        internal readonly ModelHandle Handle = new ModelHandle();

        // What a load under way calls back to.
        sealed class Load
        {
            internal Func<double, string, bool> Progress;
            internal Exception Raised;
        }

        static readonly fathom_progress report = Report;

        // path: a Hugging Face folder or a .gguf file. progress(share, what) is called on this thread, share from 0 to 1; false
        // ends the load with FATHOM_CANCELLED, and an exception ends it and is thrown again. verify: read every weight once and
        // refuse one that is not a finite number. lazy: read weights when they are first used. Throws FathomException.
        public Model(Runtime runtime, string path, Func<double, string, bool> progress = null, bool verify = false, bool lazy = false)
        {
            if (runtime == null) throw new ArgumentNullException("runtime");
            if (path == null) throw new ArgumentNullException("path");
            var name = Utf8.Bytes(path);
            var load = new Load { Progress = progress };
            var held = GCHandle.Alloc(load);
            int status;
            IntPtr made;
            try
            {
                var options = new fathom_model_options();
                options.struct_size = (uint)Marshal.SizeOf(typeof(fathom_model_options));
                options.verify = verify ? 1u : 0u;
                options.lazy = lazy ? 1u : 0u;
                if (progress != null)
                {
                    options.progress = Marshal.GetFunctionPointerForDelegate(report);
                    options.progress_user = GCHandle.ToIntPtr(held);
                }
                using (var owner = new Borrowed(runtime.Handle))
                    status = Native.fathom_model_open(owner.Pointer, name, Utf8.Size(name), ref options, out made);
            }
            finally
            {
                held.Free();
            }
            if (load.Raised != null) ExceptionDispatchInfo.Capture(load.Raised).Throw();
            FathomException.Check(status);
            Handle.Own(made);
        }

        [MonoPInvokeCallback(typeof(fathom_progress))]
        static int Report(IntPtr user, double done, IntPtr what)
        {
            var load = (Load)GCHandle.FromIntPtr(user).Target;
            try
            {
                return load.Progress(done, Utf8.Read(what)) ? 0 : 1;
            }
            catch (Exception error)  // thrown again behind the C code
            {
                load.Raised = error;
                return 1;
            }
        }

        // Gives the reference back; sessions keep the weights until they are disposed of too.
        public void Dispose() { Handle.Dispose(); }

        // The fields of fathom_model_info. Its texts live as long as the model; Family is one of them.
        public fathom_model_info Info
        {
            get
            {
                var info = new fathom_model_info();
                info.struct_size = (uint)Marshal.SizeOf(typeof(fathom_model_info));
                using (var model = new Borrowed(Handle)) FathomException.Check(Native.fathom_model_get_info(model.Pointer, ref info));
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
                using (var model = new Borrowed(Handle))
                    FathomException.Check(Native.fathom_model_recommended_sampling(model.Pointer, ref sampling));
                return sampling;
            }
        }

        public string Family
        {
            get
            {
                using (new Borrowed(Handle)) return Utf8.Read(Info.family);
            }
        }

        // Tokens of a text. Control tokens written in it stay characters. Throws FathomException with FATHOM_NOT_FOUND for a
        // checkpoint without tokenizer, ArgumentException for half a surrogate pair.
        public int[] Encode(string text)
        {
            var bytes = Utf8.Bytes(text);
            UIntPtr needed;
            using (var model = new Borrowed(Handle))
            {
                FathomException.Check(Native.fathom_encode(model.Pointer, bytes, Utf8.Size(bytes), 0, null, UIntPtr.Zero, out needed));
                var tokens = new int[(int)needed];
                if (tokens.Length == 0) return tokens;
                FathomException.Check(Native.fathom_encode(model.Pointer, bytes, Utf8.Size(bytes), 0, tokens, Utf8.Size(tokens), out needed));
                return tokens;
            }
        }

        // Text of tokens. Throws FathomException with FATHOM_INVALID_ARGUMENT for an id outside the vocabulary.
        public string Decode(int[] tokens)
        {
            if (tokens == null) throw new ArgumentNullException("tokens");
            UIntPtr needed;
            using (var model = new Borrowed(Handle))
            {
                FathomException.Check(Native.fathom_decode(model.Pointer, tokens, Utf8.Size(tokens), 0, null, UIntPtr.Zero, out needed));
                var bytes = new byte[(int)needed];
                if (bytes.Length == 0) return "";
                FathomException.Check(Native.fathom_decode(model.Pointer, tokens, Utf8.Size(tokens), 0, bytes, Utf8.Size(bytes), out needed));
                return Encoding.UTF8.GetString(bytes);
            }
        }

        // Tokens of one question in the model's own chat format, up to where the answer begins.
        public int[] EncodeQuestion(string question) { return EncodeChat(new[] { new ChatMessage("user", question) }); }

        // Tokens of a conversation in the model's own chat format, up to where the answer begins. Throws ArgumentException for a
        // message without role or content, FathomException with FATHOM_UNSUPPORTED for a format that is none of the built-in ones.
        public int[] EncodeChat(IList<ChatMessage> messages)
        {
            if (messages == null) throw new ArgumentNullException("messages");
            var table = new fathom_message[messages.Count];
            var held = new List<GCHandle>();
            try
            {
                for (int i = 0; i < table.Length; ++i)
                {
                    if (messages[i].Role == null || messages[i].Content == null)
                        throw new ArgumentException("message " + i + " has no " + (messages[i].Role == null ? "role" : "content"), "messages");
                    table[i].role = Pin(messages[i].Role, held, out table[i].role_size);
                    table[i].content = Pin(messages[i].Content, held, out table[i].content_size);
                }
                var options = new fathom_chat_options();
                options.struct_size = (uint)Marshal.SizeOf(typeof(fathom_chat_options));
                UIntPtr needed;
                using (var model = new Borrowed(Handle))
                {
                    FathomException.Check(Native.fathom_encode_chat(model.Pointer, table, Utf8.Size(table), ref options, null, UIntPtr.Zero,
                                                                    out needed));
                    var tokens = new int[(int)needed];
                    FathomException.Check(Native.fathom_encode_chat(model.Pointer, table, Utf8.Size(table), ref options, tokens,
                                                                    Utf8.Size(tokens), out needed));
                    return tokens;
                }
            }
            finally
            {
                foreach (var each in held) each.Free();
            }
        }

        static IntPtr Pin(string text, List<GCHandle> held, out UIntPtr size)
        {
            var bytes = Utf8.Bytes(text);
            size = Utf8.Size(bytes);
            held.Add(GCHandle.Alloc(bytes, GCHandleType.Pinned));
            return held[held.Count - 1].AddrOfPinnedObject();
        }
    }

    // One timeline of tokens. One thread at a time, Cancel aside. Every function throws FathomException, and
    // ObjectDisposedException after Dispose.
    public sealed class Session : IDisposable
    {
        readonly SessionHandle handle = new SessionHandle();

        // contextLength: tokens it can hold; 0: the model's, at most 8192. temperature 0: always the likeliest token. The same seed
        // draws the same tokens from the same logits.
        public Session(Model model, long contextLength = 0, float temperature = 0, ulong seed = 0)
            : this(model, new fathom_sampling_options { temperature = temperature, seed = seed }, contextLength)
        {
        }

        // sampling: for example model.RecommendedSampling, with a seed
        public Session(Model model, fathom_sampling_options sampling, long contextLength = 0)
        {
            if (model == null) throw new ArgumentNullException("model");
            sampling.struct_size = (uint)Marshal.SizeOf(typeof(fathom_sampling_options));
            var held = GCHandle.Alloc(sampling, GCHandleType.Pinned);
            try
            {
                var options = new fathom_session_options();
                options.struct_size = (uint)Marshal.SizeOf(typeof(fathom_session_options));
                options.context_length = contextLength;
                options.sampling = held.AddrOfPinnedObject();
                IntPtr made;
                using (var owner = new Borrowed(model.Handle))
                    FathomException.Check(Native.fathom_session_create(owner.Pointer, ref options, out made));
                handle.Own(made);
            }
            finally
            {
                held.Free();
            }
        }

        // Gives the reference back. A step under way on another thread ends first.
        public void Dispose() { handle.Dispose(); }

        // Queues tokens; nothing is computed. FATHOM_INVALID_ARGUMENT for an id outside the vocabulary, FATHOM_CONTEXT_FULL when
        // they do not fit; then none is queued.
        public void Append(int[] tokens)
        {
            if (tokens == null) throw new ArgumentNullException("tokens");
            using (var session = new Borrowed(handle))
                FathomException.Check(Native.fathom_session_append(session.Pointer, tokens, Utf8.Size(tokens)));
        }

        // Takes in what is queued, then generates. Returns after about budgetUs microseconds (0: no limit) or after maxNewTokens
        // (0: takes in only). The next step resumes there.
        public fathom_step_result Step(long budgetUs = 0, long maxNewTokens = 1)
        {
            var options = new fathom_step_options();
            options.struct_size = (uint)Marshal.SizeOf(typeof(fathom_step_options));
            options.budget_us = budgetUs;
            options.max_new_tokens = maxNewTokens == 0 ? Native.FATHOM_NO_NEW_TOKENS : maxNewTokens;
            var result = new fathom_step_result();
            result.struct_size = (uint)Marshal.SizeOf(typeof(fathom_step_result));
            using (var session = new Borrowed(handle))
                FathomException.Check(Native.fathom_session_step(session.Pointer, ref options, ref result));
            return result;
        }

        // Text generated since the last read: whole characters only.
        public string ReadText()
        {
            UIntPtr needed;
            using (var session = new Borrowed(handle))
            {
                FathomException.Check(Native.fathom_session_read_text(session.Pointer, null, UIntPtr.Zero, out needed));
                var bytes = new byte[(int)needed];
                if (bytes.Length == 0) return "";
                FathomException.Check(Native.fathom_session_read_text(session.Pointer, bytes, Utf8.Size(bytes), out needed));
                return Encoding.UTF8.GetString(bytes);
            }
        }

        // Tokens generated since the last read.
        public int[] ReadTokens()
        {
            UIntPtr needed;
            using (var session = new Borrowed(handle))
            {
                FathomException.Check(Native.fathom_session_read_tokens(session.Pointer, null, UIntPtr.Zero, out needed));
                var tokens = new int[(int)needed];
                if (tokens.Length == 0) return tokens;
                FathomException.Check(Native.fathom_session_read_tokens(session.Pointer, tokens, Utf8.Size(tokens), out needed));
                return tokens;
            }
        }

        // Keeps the first `length` tokens, and forgets the rest and all unread output.
        public void Rewind(int length)
        {
            if (length < 0) throw new ArgumentOutOfRangeException("length", length, "expected 0 or more");
            using (var session = new Borrowed(handle))
                FathomException.Check(Native.fathom_session_rewind(session.Pointer, new UIntPtr((uint)length)));
        }

        // Forgets everything but the options.
        public void Reset()
        {
            using (var session = new Borrowed(handle)) FathomException.Check(Native.fathom_session_reset(session.Pointer));
        }

        // From any thread: a step under way, or else the next one, returns with FATHOM_STOP_CANCELLED. Does nothing after Dispose.
        public void Cancel()
        {
            try
            {
                using (var session = new Borrowed(handle)) Native.fathom_session_cancel(session.Pointer);
            }
            catch (ObjectDisposedException)
            {
            }
        }
    }
}
