//! Answers one question and tells what it took. usage: hello MODEL
use std::io::Write;

use fathom::{Model, Role, Runtime, Sampling, SessionOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: hello MODEL")?;
    let model = Model::open(&Runtime::new()?, path)?;
    let sampling = Sampling { temperature: 0.7, seed: 1, ..Default::default() };
    let mut session = model.session(&SessionOptions { sampling, ..Default::default() })?;
    session.append(&model.encode_chat(&[(Role::User, "Tell me a story about a frog named Milo.")])?)?;
    let mut pieces = session.generate(300);
    for piece in pieces.by_ref() {
        print!("{}", piece?);
        std::io::stdout().flush()?;
    }
    println!("\n{:?} {:?} {:?}", pieces.finish(), pieces.usage(), pieces.timings());
    Ok(())
}
