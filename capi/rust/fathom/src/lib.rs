//! Large language models on CPUs, inside your process.
//!
//! ```no_run
//! use fathom::{Model, Role, Runtime, SessionOptions};
//!
//! fn main() -> fathom::Result<()> {
//!     let model = Model::open(&Runtime::new()?, "model.gguf")?;
//!     let mut session = model.session(&SessionOptions::default())?;
//!     session.append(&model.encode_chat(&[(Role::User, "Hello!")])?)?;
//!     for piece in session.generate(100) {
//!         print!("{}", piece?);
//!     }
//!     Ok(())
//! }
//! ```
//!
//! Handles keep what they were made from alive, so nothing here borrows from anything else. [`Runtime`] and [`Model`] are `Send` and `Sync`:
//! every call on them takes a const handle, which the C interface allows from any number of threads. [`Session`] and [`Batch`] are
//! `Send` but not `Sync`: what changes them takes `&mut self`. [`Session::canceller`] gives the one thing that other threads
//! may do to a session under way.

mod batch;
mod error;
mod model;
mod output;
mod pieces;
mod session;

pub use batch::{Batch, BatchStep};
pub use error::{Error, Result, Status};
pub use model::{Model, ModelInfo, ModelOptions, Role, Runtime, RuntimeOptions};
pub use pieces::{Finish, Pieces, Timings, Usage};
pub use session::{Cache, Canceller, Logprob, Route, Sampling, Session, SessionOptions, Step, Stop};

/// Version of the library that runs.
///
/// ```
/// assert!(fathom::version().starts_with("1."));
/// ```
pub fn version() -> &'static str {
    // SAFETY: the string is zero-terminated and lives as long as the library is loaded.
    unsafe { core::ffi::CStr::from_ptr(fathom_sys::fathom_version()) }.to_str().unwrap_or("")
}
