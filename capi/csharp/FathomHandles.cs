// Names of statuses, errors, and the owners of handles. A lost object gives its reference back when it is collected.
using System;
using System.Runtime.InteropServices;
using System.Text;

namespace Fathom
{
    // Statuses by name; fathom.h says what each means.
    public enum StatusCode
    {
        Ok = Native.FATHOM_OK,
        InvalidArgument = Native.FATHOM_INVALID_ARGUMENT,
        NotFound = Native.FATHOM_NOT_FOUND,
        IoError = Native.FATHOM_IO_ERROR,
        CorruptFile = Native.FATHOM_CORRUPT_FILE,
        Unsupported = Native.FATHOM_UNSUPPORTED,
        OutOfMemory = Native.FATHOM_OUT_OF_MEMORY,
        ContextFull = Native.FATHOM_CONTEXT_FULL,
        Cancelled = Native.FATHOM_CANCELLED,
        CallbackFailed = Native.FATHOM_CALLBACK_FAILED,
        WrongState = Native.FATHOM_WRONG_STATE,
        Internal = Native.FATHOM_INTERNAL,
        BufferTooSmall = Native.FATHOM_BUFFER_TOO_SMALL,
    }

    // Why generation ended.
    public enum StopReason
    {
        None = Native.FATHOM_STOP_NONE,
        Token = Native.FATHOM_STOP_TOKEN,
        String = Native.FATHOM_STOP_STRING,
        ContextFull = Native.FATHOM_STOP_CONTEXT_FULL,
        Cancelled = Native.FATHOM_STOP_CANCELLED,
    }

    public static class StepResults
    {
        // The result's stop, by name.
        public static StopReason Reason(this fathom_step_result result) { return (StopReason)result.stop; }
    }

    // A call failed. Message is a sentence that names the culprit.
    public sealed class FathomException : Exception
    {
        public readonly int Status;  // one of Native.FATHOM_*
        public StatusCode Code { get { return (StatusCode)Status; } }
        public string Name { get { return Utf8.Read(Native.fathom_status_name(Status)); } }  // "not_found", ...

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

        static readonly UTF8Encoding strict = new UTF8Encoding(false, true);

        // Throws EncoderFallbackException, an ArgumentException, for half a surrogate pair, which UTF-8 cannot hold.
        internal static byte[] Bytes(string text) { return strict.GetBytes(text); }
        internal static UIntPtr Size(Array array) { return new UIntPtr((uint)array.Length); }
    }

    // Owns one reference. The release waits for calls that have borrowed the handle, and happens on any thread.
    abstract class OwnedHandle : SafeHandle
    {
        protected OwnedHandle() : base(IntPtr.Zero, true) { }
        public override bool IsInvalid { get { return handle == IntPtr.Zero; } }
        internal void Own(IntPtr made) { SetHandle(made); }
    }

    sealed class RuntimeHandle : OwnedHandle
    {
        protected override bool ReleaseHandle()
        {
            Native.fathom_runtime_release(handle);
            return true;
        }
    }

    sealed class ModelHandle : OwnedHandle
    {
        protected override bool ReleaseHandle()
        {
            Native.fathom_model_release(handle);
            return true;
        }
    }

    sealed class SessionHandle : OwnedHandle
    {
        protected override bool ReleaseHandle()
        {
            Native.fathom_session_release(handle);
            return true;
        }
    }

    // A handle that is not released while this lives; for `using`. Throws ObjectDisposedException for one that is released.
    struct Borrowed : IDisposable
    {
        internal readonly IntPtr Pointer;
        readonly SafeHandle owner;

        internal Borrowed(SafeHandle handle)
        {
            bool added = false;
            handle.DangerousAddRef(ref added);
            owner = handle;
            Pointer = handle.DangerousGetHandle();
        }
        public void Dispose() { owner.DangerousRelease(); }
    }

    // Tells ahead-of-time compilers, such as Unity's, that native code calls a method. They look for the name alone.
    [AttributeUsage(AttributeTargets.Method)]
    sealed class MonoPInvokeCallbackAttribute : Attribute
    {
        public MonoPInvokeCallbackAttribute(Type type) { }
    }
}
