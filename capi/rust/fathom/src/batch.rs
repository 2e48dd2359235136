//! Sessions that step together.

use core::ptr;

use crate::error::{check, Error, Result, Status};
use crate::model::Model;
use crate::session::{step_options, Session, Step};

/// What a step did for all members together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchStep {
    /// Members with something to go on with.
    pub active: i32,
    /// Members whose part failed; see [`Batch::result`].
    pub failed: i32,
    pub prompt_tokens: i64,
    pub new_tokens: i64,
}

/// Sessions of one model that step together, so that weights are read once for all of them. A batch owns its sessions; [`Batch::remove`] gives one back.
pub struct Batch {
    raw: *mut fathom_sys::fathom_batch,
    members: Vec<Session>,
}

// SAFETY: a batch and its sessions may be used from any thread, one at a time; all calls take &mut self or read only.
unsafe impl Send for Batch {}

impl Batch {
    /// An empty batch for up to 64 sessions of one model.
    pub fn new(model: &Model) -> Result<Self> {
        let mut raw = ptr::null_mut();
        // SAFETY: the model is alive.
        check(unsafe { fathom_sys::fathom_batch_create(model.raw(), ptr::null(), &mut raw) })?;
        Ok(Self { raw, members: Vec::new() })
    }

    /// Takes the session in and tells its place, or gives it back with the reason why not.
    pub fn add(&mut self, session: Session) -> core::result::Result<usize, (Session, Error)> {
        // SAFETY: both are ours.
        match check(unsafe { fathom_sys::fathom_batch_add(self.raw, session.raw()) }) {
            Ok(()) => {
                self.members.push(session);
                Ok(self.members.len() - 1)
            }
            Err(error) => Err((session, error)),
        }
    }

    /// Takes the member at `place` out; the members behind it move up. [`Status::InvalidArgument`] where there is none.
    pub fn remove(&mut self, place: usize) -> Result<Session> {
        // SAFETY: both are ours.
        check(unsafe { fathom_sys::fathom_batch_remove(self.raw, self.at(place)?.raw()) })?;
        Ok(self.members.remove(place))
    }

    fn at(&self, place: usize) -> Result<&Session> {
        self.members.get(place).ok_or_else(|| Error {
            status: Status::InvalidArgument,
            message: format!("there is no member {place}: the batch has {}", self.members.len()),
        })
    }

    /// The members, in the order of their places.
    pub fn members(&mut self) -> &mut [Session] {
        &mut self.members
    }

    /// Works for all members in joint passes. Returns when one member has `max_new_tokens` (0: only takes in), when no member has
    /// anything left to do, or after about `budget_us` microseconds (0: no limit). One member's failure leaves the others alone.
    pub fn step(&mut self, max_new_tokens: i64, budget_us: i64) -> Result<BatchStep> {
        // SAFETY: plain data.
        let mut told: fathom_sys::fathom_batch_result = unsafe { core::mem::zeroed() };
        told.struct_size = core::mem::size_of_val(&told) as u32;
        // SAFETY: valid for the call.
        check(unsafe { fathom_sys::fathom_batch_step(self.raw, &step_options(max_new_tokens, budget_us), &mut told) })?;
        Ok(BatchStep {
            active: told.active,
            failed: told.failed,
            prompt_tokens: told.prompt_tokens,
            new_tokens: told.new_tokens,
        })
    }

    /// What the last step did for the member at `place`, or why its part failed. [`Status::InvalidArgument`] where there is none.
    pub fn result(&self, place: usize) -> Result<Step> {
        let mut told = Step::blank();
        // SAFETY: valid for the call.
        check(unsafe { fathom_sys::fathom_batch_get_result(self.raw, self.at(place)?.raw(), &mut told) })?;
        Ok(Step::new(&told))
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // SAFETY: ours, once; members outlive it.
        unsafe { fathom_sys::fathom_batch_release(self.raw) }
    }
}
