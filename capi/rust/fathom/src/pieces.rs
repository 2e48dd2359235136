//! Text as it is generated, and how it ended.

use std::time::{Duration, Instant};

use crate::error::Result;
use crate::session::{Session, Stop};

/// Why an iteration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Generation ended.
    Stop(Stop),
    /// There are as many new tokens as were wanted.
    MaxNewTokens,
}

/// Tokens of one generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Taken in during the generation.
    pub prompt_tokens: i64,
    /// Generated, stop tokens included.
    pub new_tokens: i64,
}

/// Time that one generation spent in the library; the caller's time between two pieces does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// Until the first token is there, the prompt included.
    pub first_token: Duration,
    /// For all tokens behind the first.
    pub further_tokens: Duration,
}

/// Text as it is generated, in whole characters and without empty pieces; see [`Session::generate`]. Iterate with `by_ref()` to ask
/// afterwards how it ended.
pub struct Pieces<'a> {
    session: &'a mut Session,
    left: i64,
    over: bool,
    finish: Option<Finish>,
    usage: Usage,
    timings: Timings,
}

impl<'a> Pieces<'a> {
    pub(crate) fn new(session: &'a mut Session, max_new_tokens: i64) -> Self {
        let left = if max_new_tokens == 0 { i64::MAX } else { max_new_tokens };
        Self { session, left, over: left < 0, finish: None, usage: Usage::default(), timings: Timings::default() }
    }

    /// Why the iteration ended; `None` while it goes on, and after an error.
    pub fn finish(&self) -> Option<Finish> {
        self.finish
    }

    /// Tokens so far.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// Times so far.
    pub fn timings(&self) -> Timings {
        self.timings
    }

    fn step(&mut self) -> Result<String> {
        let began = Instant::now();
        let step = self.session.step(1, 0)?;
        let took = began.elapsed();
        if self.usage.new_tokens == 0 {
            self.timings.first_token += took;
        } else {
            self.timings.further_tokens += took;
        }
        self.usage.prompt_tokens += step.prompt_tokens;
        self.usage.new_tokens += step.new_tokens;
        self.left -= step.new_tokens;
        self.finish = step.stop.map(Finish::Stop).or((self.left <= 0).then_some(Finish::MaxNewTokens));
        self.over = self.finish.is_some();
        self.session.read_text()
    }
}

impl Iterator for Pieces<'_> {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.over {
            match self.step() {
                Ok(text) if text.is_empty() => {}
                Ok(text) => return Some(Ok(text)),
                Err(error) => {
                    self.over = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}
