// Longer than 400 lines: one type with all functions of a session, each with its contract.
//! Sessions: one timeline of tokens each.

use core::ffi::c_void;
use core::ptr;
use std::sync::{Arc, Mutex};

use crate::error::{check, Error, Result, Status};
use crate::model::Model;
use crate::output::{read_all, read_text};
use crate::pieces::Pieces;

/// How the next token is chosen; the default is always the likeliest.
#[derive(Clone, Debug, Default)]
pub struct Sampling {
    pub temperature: f32,
    /// 0 means 1: all.
    pub top_p: f32,
    pub min_p: f32,
    /// 0: all.
    pub top_k: i32,
    /// 0 means 1: none.
    pub repetition_penalty: f32,
    pub frequency_penalty: f32,
    pub presence_penalty: f32,
    /// How many of the last tokens the penalties look at; 0 means 256.
    pub penalty_window: i32,
    pub seed: u64,
}

impl Sampling {
    pub(crate) fn from_raw(raw: &fathom_sys::fathom_sampling_options) -> Self {
        Self {
            temperature: raw.temperature,
            top_p: raw.top_p,
            min_p: raw.min_p,
            top_k: raw.top_k,
            repetition_penalty: raw.repetition_penalty,
            frequency_penalty: raw.frequency_penalty,
            presence_penalty: raw.presence_penalty,
            penalty_window: raw.penalty_window,
            seed: raw.seed,
        }
    }

    fn raw(&self) -> fathom_sys::fathom_sampling_options {
        // SAFETY: all zero is the default of every field.
        let mut raw: fathom_sys::fathom_sampling_options = unsafe { core::mem::zeroed() };
        raw.struct_size = core::mem::size_of_val(&raw) as u32;
        raw.temperature = self.temperature;
        raw.top_p = self.top_p;
        raw.min_p = self.min_p;
        raw.top_k = self.top_k;
        raw.repetition_penalty = self.repetition_penalty;
        raw.frequency_penalty = self.frequency_penalty;
        raw.presence_penalty = self.presence_penalty;
        raw.penalty_window = self.penalty_window;
        raw.seed = self.seed;
        raw
    }
}

/// What the cache keeps its rows in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cache {
    #[default]
    Automatic,
    F32,
    F16,
    Bf16,
    /// 8 bits and a scale for 32 values: half of F16, a little coarser.
    Q8_0,
}

#[derive(Clone, Debug, Default)]
pub struct SessionOptions {
    /// Tokens it can hold; 0: the model's, at most 8192.
    pub context_length: i64,
    pub cache: Cache,
    pub sampling: Sampling,
    /// Generation ends where one of these appears in the text.
    pub stop_strings: Vec<String>,
    pub stop_tokens: Vec<i32>,
    pub ignore_stop_tokens: bool,
    /// Keep so many of the likeliest tokens, 1 to 20, for [`Session::read_logprobs`].
    pub top_logprobs: i32,
    /// Keep the experts' choices for [`Session::read_routes`].
    pub trace_routes: bool,
}

/// Why generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    Token,
    String,
    ContextFull,
    Cancelled,
    Other(i32),
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// `None`: not stopped, step again.
    pub stop: Option<Stop>,
    pub prompt_tokens: i64,
    pub new_tokens: i64,
    pub queued_tokens: i64,
    pub longest_unit_us: f64,
}

impl Step {
    pub(crate) fn blank() -> fathom_sys::fathom_step_result {
        // SAFETY: plain data.
        let mut raw: fathom_sys::fathom_step_result = unsafe { core::mem::zeroed() };
        raw.struct_size = core::mem::size_of_val(&raw) as u32;
        raw
    }

    pub(crate) fn new(raw: &fathom_sys::fathom_step_result) -> Self {
        let stop = match raw.stop {
            fathom_sys::FATHOM_STOP_NONE => None,
            fathom_sys::FATHOM_STOP_TOKEN => Some(Stop::Token),
            fathom_sys::FATHOM_STOP_STRING => Some(Stop::String),
            fathom_sys::FATHOM_STOP_CONTEXT_FULL => Some(Stop::ContextFull),
            fathom_sys::FATHOM_STOP_CANCELLED => Some(Stop::Cancelled),
            other => Some(Stop::Other(other)),
        };
        Self {
            stop,
            prompt_tokens: raw.prompt_tokens,
            new_tokens: raw.new_tokens,
            queued_tokens: raw.queued_tokens,
            longest_unit_us: raw.longest_unit_us,
        }
    }
}

pub(crate) fn step_options(max_new_tokens: i64, budget_us: i64) -> fathom_sys::fathom_step_options {
    // SAFETY: all zero is the default of every field.
    let mut raw: fathom_sys::fathom_step_options = unsafe { core::mem::zeroed() };
    raw.struct_size = core::mem::size_of_val(&raw) as u32;
    raw.budget_us = budget_us;
    raw.max_new_tokens = if max_new_tokens == 0 { fathom_sys::FATHOM_NO_NEW_TOKENS } else { max_new_tokens };
    raw
}

/// A token and the natural logarithm of its probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Logprob {
    pub token: i32,
    pub logprob: f32,
}

/// One expert chosen for one token in one layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Route {
    pub position: i64,
    pub layer: i32,
    pub expert: i32,
    pub gate: f32,
}

struct Handle(*mut fathom_sys::fathom_session);

// SAFETY: through this the only call from other threads is cancel, which the C interface allows at any time before the release.
unsafe impl Send for Handle {}

/// Stops a session from any thread. Does nothing once the session is dropped.
#[derive(Clone)]
pub struct Canceller(Arc<Mutex<Option<Handle>>>);

impl Canceller {
    /// A step under way returns soon with [`Stop::Cancelled`]; without one, the next step does.
    pub fn cancel(&self) {
        if let Ok(session) = self.0.lock() {
            if let Some(handle) = session.as_ref() {
                // SAFETY: the lock keeps the session from being released meanwhile.
                unsafe { fathom_sys::fathom_session_cancel(handle.0) }
            }
        }
    }
}

/// One timeline of tokens with its cache, its sampler and its pending output.
pub struct Session {
    raw: *mut fathom_sys::fathom_session,
    canceller: Canceller,
}

// SAFETY: a session may be used from any thread, one at a time; whatever changes it takes &mut self.
unsafe impl Send for Session {}

impl Session {
    pub(crate) fn new(model: &Model, options: &SessionOptions) -> Result<Self> {
        let sampling = options.sampling.raw();
        let strings: Vec<_> = options
            .stop_strings
            .iter()
            .map(|text| fathom_sys::fathom_string { data: text.as_ptr().cast(), size: text.len() })
            .collect();
        // SAFETY: all zero is the default of every field.
        let mut stop: fathom_sys::fathom_stop_options = unsafe { core::mem::zeroed() };
        stop.struct_size = core::mem::size_of_val(&stop) as u32;
        stop.ignore_stop_tokens = options.ignore_stop_tokens.into();
        stop.tokens = options.stop_tokens.as_ptr();
        stop.token_count = options.stop_tokens.len();
        stop.strings = strings.as_ptr();
        stop.string_count = strings.len();
        // SAFETY: likewise.
        let mut given: fathom_sys::fathom_session_options = unsafe { core::mem::zeroed() };
        given.struct_size = core::mem::size_of_val(&given) as u32;
        given.context_length = options.context_length;
        given.cache = options.cache as i32;
        given.sampling = &sampling;
        given.stop = &stop;
        given.top_logprobs = options.top_logprobs;
        given.trace_routes = options.trace_routes.into();
        let mut raw = ptr::null_mut();
        // SAFETY: all pointers are valid for the call, and everything is copied.
        check(unsafe { fathom_sys::fathom_session_create(model.raw(), &given, &mut raw) })?;
        Ok(Self::own(raw))
    }

    fn own(raw: *mut fathom_sys::fathom_session) -> Self {
        Self { raw, canceller: Canceller(Arc::new(Mutex::new(Some(Handle(raw))))) }
    }

    pub(crate) fn raw(&self) -> *mut fathom_sys::fathom_session {
        self.raw
    }

    /// Queues tokens; nothing is computed.
    pub fn append(&mut self, tokens: &[i32]) -> Result<()> {
        // SAFETY: the tokens are valid for the call.
        check(unsafe { fathom_sys::fathom_session_append(self.raw, tokens.as_ptr(), tokens.len()) })
    }

    /// Takes in what is queued, then generates up to `max_new_tokens` (0: only takes in), for about `budget_us` (0: no limit).
    pub fn step(&mut self, max_new_tokens: i64, budget_us: i64) -> Result<Step> {
        let mut told = Step::blank();
        // SAFETY: valid for the call.
        check(unsafe { fathom_sys::fathom_session_step(self.raw, &step_options(max_new_tokens, budget_us), &mut told) })?;
        Ok(Step::new(&told))
    }

    /// The text to come, piece by piece, until generation ends or `max_new_tokens` (0: no limit) are there. The iterator also
    /// tells how generation ended and what it took.
    pub fn generate(&mut self, max_new_tokens: i64) -> Pieces<'_> {
        Pieces::new(self, max_new_tokens)
    }

    /// What was generated since the last read: whole characters only.
    pub fn read_text(&mut self) -> Result<String> {
        // SAFETY: the buffer is read_text's.
        read_text(|buffer, capacity, needed| unsafe {
            fathom_sys::fathom_session_read_text(self.raw, buffer, capacity, needed)
        })
    }

    /// Tokens generated since the last read.
    pub fn read_tokens(&mut self) -> Result<Vec<i32>> {
        // SAFETY: the buffer is read_all's, here and below.
        read_all(0, |buffer, capacity, needed| unsafe {
            fathom_sys::fathom_session_read_tokens(self.raw, buffer, capacity, needed)
        })
    }

    /// For each generated token a group of 1 + `top_logprobs`: the token itself, then the likeliest.
    pub fn read_logprobs(&mut self) -> Result<Vec<Logprob>> {
        let blank = fathom_sys::fathom_logprob { token: 0, logprob: 0.0 };
        let read = read_all(blank, |buffer, capacity, needed| unsafe {
            fathom_sys::fathom_session_read_logprobs(self.raw, buffer, capacity, needed)
        })?;
        Ok(read.into_iter().map(|each| Logprob { token: each.token, logprob: each.logprob }).collect())
    }

    /// Experts chosen since the last read; [`Status::WrongState`] without `trace_routes`.
    pub fn read_routes(&mut self) -> Result<Vec<Route>> {
        let blank = fathom_sys::fathom_route { position: 0, layer: 0, expert: 0, gate: 0.0, reserved: 0 };
        let read = read_all(blank, |buffer, capacity, needed| unsafe {
            fathom_sys::fathom_session_read_routes(self.raw, buffer, capacity, needed)
        })?;
        let route = |r: fathom_sys::fathom_route| Route { position: r.position, layer: r.layer, expert: r.expert, gate: r.gate };
        Ok(read.into_iter().map(route).collect())
    }

    /// The whole timeline, queued tokens included.
    pub fn tokens(&self) -> Result<Vec<i32>> {
        read_all(0, |buffer, capacity, needed| unsafe {
            fathom_sys::fathom_session_tokens(self.raw, buffer, capacity, needed)
        })
    }

    /// Logits after the last token taken in; borrowed until the session is used again.
    pub fn logits(&self) -> Result<&[f32]> {
        let (mut row, mut count) = (ptr::null(), 0);
        // SAFETY: valid for the call.
        check(unsafe { fathom_sys::fathom_session_logits(self.raw, &mut row, &mut count) })?;
        // SAFETY: that many floats, valid until the next call that changes the session, which needs &mut self.
        Ok(unsafe { core::slice::from_raw_parts(row, count) })
    }

    /// Makes `tokens` the timeline, keeping the common beginning; says how much was kept.
    pub fn sync(&mut self, tokens: &[i32]) -> Result<usize> {
        let mut kept = 0;
        // SAFETY: valid for the call.
        check(unsafe { fathom_sys::fathom_session_sync(self.raw, tokens.as_ptr(), tokens.len(), &mut kept) })?;
        Ok(kept)
    }

    /// Keeps the first `length` tokens.
    pub fn rewind(&mut self, length: usize) -> Result<()> {
        // SAFETY: ours.
        check(unsafe { fathom_sys::fathom_session_rewind(self.raw, length) })
    }

    /// A second session that goes on from here; the cache so far is shared.
    pub fn fork(&self) -> Result<Self> {
        let mut raw = ptr::null_mut();
        // SAFETY: ours.
        check(unsafe { fathom_sys::fathom_session_fork(self.raw, &mut raw) })?;
        Ok(Self::own(raw))
    }

    /// Forgets everything but the options.
    pub fn reset(&mut self) -> Result<()> {
        // SAFETY: ours.
        check(unsafe { fathom_sys::fathom_session_reset(self.raw) })
    }

    /// Sets all sampling options. The random sequence restarts at the seed.
    pub fn set_sampling(&mut self, sampling: &Sampling) -> Result<()> {
        // SAFETY: valid for the call.
        check(unsafe { fathom_sys::fathom_session_set_sampling(self.raw, &sampling.raw()) })
    }

    /// What another thread may hold to stop this session.
    pub fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    /// The state as bytes; [`Status::OutOfMemory`] where there is no room for them.
    pub fn save(&self) -> Result<Vec<u8>> {
        unsafe extern "C" fn write(user: *mut c_void, data: *const c_void, bytes: usize) -> i32 {
            // SAFETY: `user` is the vector below, `data` has that many bytes.
            let (out, piece) = unsafe { (&mut *user.cast::<Vec<u8>>(), core::slice::from_raw_parts(data.cast(), bytes)) };
            if out.try_reserve(bytes).is_err() {
                return 1;
            }
            out.extend_from_slice(piece);
            0
        }
        let mut out: Vec<u8> = Vec::new();
        // SAFETY: the callback gets the vector, which outlives the call.
        match check(unsafe { fathom_sys::fathom_session_save(self.raw, Some(write), ptr::from_mut(&mut out).cast()) }) {
            // the callback fails for this reason only
            Err(error) if error.status == Status::CallbackFailed => Err(Error {
                status: Status::OutOfMemory,
                message: format!("there is no memory for the saved state beyond its first {} bytes", out.len()),
            }),
            Err(error) => Err(error),
            Ok(()) => Ok(out),
        }
    }

    /// Makes this session the saved one. All or nothing. [`Status::CorruptFile`] for bytes that are no state, a damaged one or one
    /// that ends too early; [`Status::InvalidArgument`] for another model's or another cache format.
    pub fn restore(&mut self, state: &[u8]) -> Result<()> {
        struct Source<'a> {
            left: &'a [u8],
            missing: usize, // bytes that were asked for behind the end
        }
        unsafe extern "C" fn read(user: *mut c_void, data: *mut c_void, bytes: usize) -> i32 {
            // SAFETY: `user` is the source below.
            let source = unsafe { &mut *user.cast::<Source>() };
            source.missing = bytes.saturating_sub(source.left.len());
            if source.missing > 0 {
                return 1;
            }
            // SAFETY: room for that many bytes.
            unsafe { ptr::copy_nonoverlapping(source.left.as_ptr(), data.cast(), bytes) };
            source.left = &source.left[bytes..];
            0
        }
        let mut source = Source { left: state, missing: 0 };
        // SAFETY: the callback gets the source, which outlives the call.
        let restored = check(unsafe { fathom_sys::fathom_session_restore(self.raw, Some(read), ptr::from_mut(&mut source).cast()) });
        match restored {
            Err(error) if error.status == Status::CallbackFailed && source.missing > 0 => Err(Error {
                status: Status::CorruptFile,
                message: format!(
                    "the saved state ends too early: it has {} bytes and at least {} more are needed",
                    state.len(),
                    source.missing
                ),
            }),
            other => other,
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // behind the lock, so that nobody cancels what is gone
        if let Ok(mut handle) = self.canceller.0.lock() {
            *handle = None;
        }
        // SAFETY: ours, once.
        unsafe { fathom_sys::fathom_session_release(self.raw) }
    }
}
