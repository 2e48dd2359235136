//! Statuses as errors.

use core::ffi::CStr;

/// Why a call failed; the numbers are those of `fathom.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    InvalidArgument,
    NotFound,
    Io,
    CorruptFile,
    Unsupported,
    OutOfMemory,
    ContextFull,
    Cancelled,
    CallbackFailed,
    WrongState,
    Internal,
    Other(i32),
}

impl Status {
    fn new(status: i32) -> Self {
        match status {
            fathom_sys::FATHOM_INVALID_ARGUMENT => Self::InvalidArgument,
            fathom_sys::FATHOM_NOT_FOUND => Self::NotFound,
            fathom_sys::FATHOM_IO_ERROR => Self::Io,
            fathom_sys::FATHOM_CORRUPT_FILE => Self::CorruptFile,
            fathom_sys::FATHOM_UNSUPPORTED => Self::Unsupported,
            fathom_sys::FATHOM_OUT_OF_MEMORY => Self::OutOfMemory,
            fathom_sys::FATHOM_CONTEXT_FULL => Self::ContextFull,
            fathom_sys::FATHOM_CANCELLED => Self::Cancelled,
            fathom_sys::FATHOM_CALLBACK_FAILED => Self::CallbackFailed,
            fathom_sys::FATHOM_WRONG_STATE => Self::WrongState,
            fathom_sys::FATHOM_INTERNAL => Self::Internal,
            other => Self::Other(other),
        }
    }
}

/// A status and the sentence that names the culprit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub status: Status,
    pub message: String,
}

impl std::fmt::Display for Error {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

pub type Result<T> = std::result::Result<T, Error>;

/// The error of the call that this thread just made, if it failed.
pub(crate) fn check(status: i32) -> Result<()> {
    if status == fathom_sys::FATHOM_OK {
        return Ok(());
    }
    // SAFETY: never null, zero-terminated, valid until this thread's next call; copied at once.
    let message = unsafe { CStr::from_ptr(fathom_sys::fathom_last_error()) };
    Err(Error { status: Status::new(status), message: message.to_string_lossy().into_owned() })
}
