//! Runtime and model.

use core::any::Any;
use core::ffi::{c_char, c_void, CStr};
use core::ptr;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::path::Path;

use crate::error::{check, Result};
use crate::output::{read_all, read_text};
use crate::session::{Sampling, Session, SessionOptions};

/// Threads and instruction set.
#[derive(Clone, Debug, Default)]
pub struct RuntimeOptions {
    /// 0: one for each core the process may use.
    pub threads: i32,
    /// "scalar", "avx2", "avx512", "avx512_vnni", "avx512_bf16", "amx_int8"; empty: the best this CPU has.
    pub isa_limit: String,
    /// Bits then do not depend on chunks and batch mates either.
    pub invariant: bool,
    /// How weights are prefetched: "builtin", or the text that `ModelInfo` gave; empty: timed when a model is opened.
    pub streams: String,
}

/// What models run on; any number of threads share one.
#[derive(Debug)]
pub struct Runtime(*mut fathom_sys::fathom_runtime);

// SAFETY: the C interface allows calls on a const runtime from any number of threads, and its release on any.
unsafe impl Send for Runtime {}
unsafe impl Sync for Runtime {}

impl Runtime {
    /// With all defaults.
    pub fn new() -> Result<Self> {
        Self::with(&RuntimeOptions::default())
    }

    /// With the options given.
    pub fn with(options: &RuntimeOptions) -> Result<Self> {
        // SAFETY: all zero is the default of every field.
        let mut given: fathom_sys::fathom_runtime_options = unsafe { core::mem::zeroed() };
        given.struct_size = core::mem::size_of_val(&given) as u32;
        given.threads = options.threads;
        given.isa_limit = options.isa_limit.as_ptr().cast();
        given.isa_limit_size = options.isa_limit.len();
        given.invariant = options.invariant.into();
        given.streams = options.streams.as_ptr().cast();
        given.streams_size = options.streams.len();
        let mut runtime = ptr::null_mut();
        // SAFETY: the pointers are valid for the call.
        check(unsafe { fathom_sys::fathom_runtime_create(&given, &mut runtime) })?;
        Ok(Self(runtime))
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // SAFETY: ours, once.
        unsafe { fathom_sys::fathom_runtime_release(self.0) }
    }
}

/// Who speaks in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    System,
    User,
    Assistant,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// What a model is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ModelInfo {
    pub family: String,
    pub name: String,
    pub layers: i64,
    pub hidden_size: i64,
    pub vocab_size: i64,
    pub context_length: i64,
    pub experts: i64,
    pub experts_per_token: i64,
    pub parameters: i64,
    pub weight_bytes: i64,
    /// How weights are prefetched; `RuntimeOptions::streams` takes it.
    pub streams: String,
}

/// How a model is opened.
#[derive(Clone, Debug, Default)]
pub struct ModelOptions {
    /// Read every weight once, and refuse a checkpoint with one that is not a finite number.
    pub verify: bool,
    /// Weights come into memory as they are first used, instead of before the model is there.
    pub lazy: bool,
}

/// Weights and tokenizer, immutable; any number of sessions and threads share one.
#[derive(Debug)]
pub struct Model(*mut fathom_sys::fathom_model);

// SAFETY: every call takes a const model, which the C interface allows from any number of threads.
unsafe impl Send for Model {}
unsafe impl Sync for Model {}

impl Model {
    /// A Hugging Face folder or a .gguf file; of a series, the first.
    pub fn open(runtime: &Runtime, path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(runtime, path, &ModelOptions::default(), |_, _| true)
    }

    /// The same with options. `progress` is called on this thread with the share done, 0 to 1, and what is being done; false ends the
    /// load with [`Status::Cancelled`](crate::Status::Cancelled). A panic in it ends the load and goes on behind it.
    pub fn open_with(
        runtime: &Runtime,
        path: impl AsRef<Path>,
        options: &ModelOptions,
        progress: impl FnMut(f64, &str) -> bool,
    ) -> Result<Self> {
        struct Load<F> {
            progress: F,
            panicked: Option<Box<dyn Any + Send>>,
        }
        unsafe extern "C" fn report<F: FnMut(f64, &str) -> bool>(user: *mut c_void, done: f64, what: *const c_char) -> i32 {
            // SAFETY: `user` is the load below, the text is zero-terminated.
            let (load, what) = unsafe { (&mut *user.cast::<Load<F>>(), CStr::from_ptr(what)) };
            let progress = &mut load.progress;
            // a panic must not enter the C code
            match catch_unwind(AssertUnwindSafe(|| progress(done, &what.to_string_lossy()))) {
                Ok(go_on) => (!go_on).into(),
                Err(panic) => {
                    load.panicked = Some(panic);
                    1
                }
            }
        }
        fn callback<F: FnMut(f64, &str) -> bool>(_: &Load<F>) -> fathom_sys::fathom_progress {
            Some(report::<F>)
        }
        let mut load = Load { progress, panicked: None };
        // SAFETY: all zero is the default of every field.
        let mut given: fathom_sys::fathom_model_options = unsafe { core::mem::zeroed() };
        given.struct_size = core::mem::size_of_val(&given) as u32;
        given.verify = options.verify.into();
        given.lazy = options.lazy.into();
        given.progress = callback(&load);
        given.progress_user = ptr::from_mut(&mut load).cast();
        // the file system's own bytes, which need not be UTF-8
        let path = path.as_ref().as_os_str().as_encoded_bytes();
        let mut model = ptr::null_mut();
        // SAFETY: path and load are valid for the call, the runtime is ours.
        let opened = check(unsafe { fathom_sys::fathom_model_open(runtime.0, path.as_ptr().cast(), path.len(), &given, &mut model) });
        if let Some(panic) = load.panicked {
            resume_unwind(panic);
        }
        opened.map(|()| Self(model))
    }

    pub(crate) fn raw(&self) -> *const fathom_sys::fathom_model {
        self.0
    }

    /// What the model is.
    pub fn info(&self) -> Result<ModelInfo> {
        // SAFETY: plain data; filled below.
        let mut told: fathom_sys::fathom_model_info = unsafe { core::mem::zeroed() };
        told.struct_size = core::mem::size_of_val(&told) as u32;
        // SAFETY: valid for the call.
        check(unsafe { fathom_sys::fathom_model_get_info(self.0, &mut told) })?;
        // SAFETY: zero-terminated, never null, alive as long as the handle.
        let text = |from| unsafe { CStr::from_ptr(from) }.to_string_lossy().into_owned();
        Ok(ModelInfo {
            family: text(told.family),
            name: text(told.name),
            layers: told.layers,
            hidden_size: told.hidden_size,
            vocab_size: told.vocab_size,
            context_length: told.context_length,
            experts: told.experts,
            experts_per_token: told.experts_per_token,
            parameters: told.parameters,
            weight_bytes: told.weight_bytes,
            streams: text(told.streams),
        })
    }

    /// The sampling that the checkpoint recommends; the temperature is 0 when it recommends none.
    pub fn recommended_sampling(&self) -> Result<Sampling> {
        // SAFETY: plain data; filled below.
        let mut told: fathom_sys::fathom_sampling_options = unsafe { core::mem::zeroed() };
        told.struct_size = core::mem::size_of_val(&told) as u32;
        // SAFETY: valid for the call.
        check(unsafe { fathom_sys::fathom_model_recommended_sampling(self.0, &mut told) })?;
        Ok(Sampling::from_raw(&told))
    }

    /// 32 bytes that are equal for equal checkpoints.
    pub fn fingerprint(&self) -> Result<[u8; fathom_sys::FATHOM_FINGERPRINT_SIZE]> {
        let mut print = [0; fathom_sys::FATHOM_FINGERPRINT_SIZE];
        // SAFETY: room for as many bytes as the function writes.
        check(unsafe { fathom_sys::fathom_model_fingerprint(self.0, print.as_mut_ptr()) })?;
        Ok(print)
    }

    /// What the checkpoint says of itself under a key.
    pub fn text(&self, key: &str) -> Result<String> {
        // SAFETY: the key is valid for the call; the buffer is read_text's.
        read_text(|buffer, capacity, needed| unsafe {
            fathom_sys::fathom_model_text(self.0, key.as_ptr().cast(), key.len(), buffer, capacity, needed)
        })
    }

    /// Tokens of plain text; control tokens written in it stay characters.
    pub fn encode(&self, text: &str) -> Result<Vec<i32>> {
        // SAFETY: the text is valid for the call; the buffer is read_all's.
        read_all(0, |buffer, capacity, needed| unsafe {
            fathom_sys::fathom_encode(self.0, text.as_ptr().cast(), text.len(), 0, buffer, capacity, needed)
        })
    }

    /// Text of tokens. [`Status::InvalidArgument`](crate::Status::InvalidArgument) for an id outside the vocabulary.
    pub fn decode(&self, tokens: &[i32]) -> Result<String> {
        // SAFETY: the tokens are valid for the call; the buffer is read_text's.
        read_text(|buffer, capacity, needed| unsafe {
            fathom_sys::fathom_decode(self.0, tokens.as_ptr(), tokens.len(), 0, buffer, capacity, needed)
        })
    }

    /// Tokens of a conversation in the model's own format, up to where the answer begins.
    pub fn encode_chat(&self, messages: &[(Role, &str)]) -> Result<Vec<i32>> {
        let table: Vec<_> = messages
            .iter()
            .map(|(role, content)| fathom_sys::fathom_message {
                role: role.name().as_ptr().cast(),
                role_size: role.name().len(),
                content: content.as_ptr().cast(),
                content_size: content.len(),
            })
            .collect();
        // SAFETY: table and texts are valid for the call; the buffer is read_all's.
        read_all(0, |buffer, capacity, needed| unsafe {
            fathom_sys::fathom_encode_chat(self.0, table.as_ptr(), table.len(), ptr::null(), buffer, capacity, needed)
        })
    }

    /// A new session; all its memory is taken here.
    pub fn session(&self, options: &SessionOptions) -> Result<Session> {
        Session::new(self, options)
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: ours, once.
        unsafe { fathom_sys::fathom_model_release(self.0) }
    }
}
