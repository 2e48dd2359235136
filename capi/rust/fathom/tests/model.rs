//! FATHOM_TEST_MODEL: a folder with a small mixture-of-experts model and a byte tokenizer.

use fathom::{Batch, Finish, Model, ModelOptions, Role, Runtime, RuntimeOptions, SessionOptions, Status, Stop, Usage};

fn model() -> Model {
    let path = std::env::var("FATHOM_TEST_MODEL").expect("FATHOM_TEST_MODEL is not set");
    let options = RuntimeOptions { threads: 2, invariant: true, ..Default::default() };
    Model::open(&Runtime::with(&options).unwrap(), path).unwrap()
}

fn endless() -> SessionOptions {
    SessionOptions { context_length: 300, ignore_stop_tokens: true, ..Default::default() }
}

fn continuation(model: &Model, prompt: &[i32], count: i64) -> Vec<i32> {
    let mut session = model.session(&endless()).unwrap();
    session.append(prompt).unwrap();
    session.step(count, 0).unwrap();
    session.read_tokens().unwrap()
}

#[test]
fn text_goes_to_tokens_and_back() {
    let model = model();
    let tokens = model.encode("Grüße <s>").unwrap();
    assert_eq!(model.decode(&tokens).unwrap(), "Grüße <s>");
    assert!(!tokens.contains(&0));
    assert!(model.encode("").unwrap().is_empty());
    assert_eq!(model.info().unwrap().family, "deepseek_v3");
    assert_eq!(model.text("model_type").unwrap(), "deepseek_v3");
    assert_eq!(model.text("no such key").unwrap_err().status, Status::NotFound);
}

#[test]
fn the_recommended_sampling_is_that_of_the_checkpoint() {
    assert_eq!(model().recommended_sampling().unwrap().temperature, 0.0);
    let folder = std::env::temp_dir().join(format!("fathom-recommended-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for entry in std::fs::read_dir(std::env::var("FATHOM_TEST_MODEL").unwrap()).unwrap() {
        let from = entry.unwrap().path();
        std::fs::copy(&from, folder.join(from.file_name().unwrap())).unwrap();
    }
    let json = r#"{"do_sample": true, "temperature": 0.5, "top_k": 20}"#;
    std::fs::write(folder.join("generation_config.json"), json).unwrap();
    let model = Model::open(&Runtime::new().unwrap(), &folder).unwrap();
    let sampling = model.recommended_sampling().unwrap();
    assert_eq!((sampling.temperature, sampling.top_k, sampling.top_p), (0.5, 20, 1.0));
    let mut session = model.session(&SessionOptions { sampling, ..endless() }).unwrap();
    session.append(&[3, 4]).unwrap();
    assert_eq!(session.step(2, 0).unwrap().new_tokens, 2);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn answers_come_piece_by_piece() {
    let model = model();
    let mut session = model.session(&endless()).unwrap();
    session.append(&model.encode_chat(&[(Role::User, "Hello")]).unwrap()).unwrap();
    for piece in session.generate(20) {
        assert!(!piece.unwrap().is_empty());
    }
}

#[test]
fn forks_rewinds_and_restored_states_go_on_with_the_same_bits() {
    let model = model();
    let prompt = model.encode("Once upon a time").unwrap();
    let expected = continuation(&model, &prompt, 8);
    let mut session = model.session(&endless()).unwrap();
    session.append(&prompt).unwrap();
    session.step(0, 0).unwrap();
    assert_eq!(session.logits().unwrap().len() as i64, model.info().unwrap().vocab_size);
    let mut fork = session.fork().unwrap();
    fork.step(8, 0).unwrap();
    assert_eq!(fork.read_tokens().unwrap(), expected);
    let mut state = session.save().unwrap();
    session.step(3, 0).unwrap();
    session.rewind(prompt.len()).unwrap();
    session.step(8, 0).unwrap();
    assert_eq!(session.read_tokens().unwrap(), expected);
    session.restore(&state).unwrap();
    session.step(8, 0).unwrap();
    assert_eq!(session.read_tokens().unwrap(), expected);
    let middle = state.len() / 2;
    state[middle] ^= 1;
    assert!(session.restore(&state).is_err());
    assert_eq!(session.sync(&prompt[..5]).unwrap(), 5);
}

#[test]
fn states_that_end_too_early_are_corrupt() {
    let model = model();
    let mut session = model.session(&endless()).unwrap();
    session.append(&[3, 4, 5]).unwrap();
    session.step(2, 0).unwrap();
    let state = session.save().unwrap();
    for length in [0, 1, 8, state.len() / 2, state.len() - 1] {
        let error = session.restore(&state[..length]).unwrap_err();
        assert_eq!(error.status, Status::CorruptFile);
        assert!(error.message.contains("ends too early") && error.message.contains(&format!("has {length} bytes")), "{error}");
    }
    assert_eq!(session.restore(&vec![0; state.len()]).unwrap_err().status, Status::CorruptFile);
    session.restore(&state).unwrap();
    assert_eq!(session.save().unwrap(), state);
}

#[test]
fn generations_tell_how_they_ended() {
    let model = model();
    let mut session = model.session(&endless()).unwrap();
    session.append(&[3, 4, 5]).unwrap();
    let mut pieces = session.generate(7);
    assert!(pieces.finish().is_none());
    assert!(pieces.by_ref().all(|piece| !piece.unwrap().is_empty()));
    assert_eq!(pieces.finish(), Some(Finish::MaxNewTokens));
    assert_eq!(pieces.usage(), Usage { prompt_tokens: 3, new_tokens: 7 });
    assert!(!pieces.timings().first_token.is_zero() && !pieces.timings().further_tokens.is_zero());
    let mut pieces = session.generate(0);
    pieces.by_ref().for_each(drop);
    assert_eq!(pieces.finish(), Some(Finish::Stop(Stop::ContextFull)));
    let mut fresh = model.session(&endless()).unwrap();
    let mut pieces = fresh.generate(3);
    assert_eq!(pieces.next().unwrap().unwrap_err().status, Status::WrongState);
    assert!(pieces.next().is_none() && pieces.finish().is_none());
    assert!(fresh.generate(-1).next().is_none());
}

#[test]
fn loads_tell_and_stop() {
    let path = std::env::var("FATHOM_TEST_MODEL").unwrap();
    let runtime = Runtime::new().unwrap();
    let mut last = 0.0;
    Model::open_with(&runtime, &path, &ModelOptions { verify: true, lazy: true }, |done, what| {
        last = done;
        !what.is_empty()
    })
    .unwrap();
    assert_eq!(last, 1.0);
    let error = Model::open_with(&runtime, &path, &ModelOptions::default(), |_, _| false).unwrap_err();
    assert_eq!(error.status, Status::Cancelled);
    let opened = std::panic::catch_unwind(|| Model::open_with(&runtime, &path, &ModelOptions::default(), |_, _| panic!("mine")));
    assert_eq!(*opened.unwrap_err().downcast::<&str>().unwrap(), "mine");
}

#[test]
fn paths_are_the_file_systems() {
    use std::os::unix::ffi::OsStrExt;
    let folder = std::env::temp_dir().join(format!("fathom-rust-{}", std::process::id()));
    let place = folder.join(std::ffi::OsStr::from_bytes(b"latin-\xfc"));
    std::fs::create_dir_all(&folder).unwrap();
    std::os::unix::fs::symlink(std::env::var("FATHOM_TEST_MODEL").unwrap(), &place).unwrap();
    let opened = Model::open(&Runtime::new().unwrap(), &place);
    std::fs::remove_dir_all(&folder).unwrap();
    opened.unwrap();
}

#[test]
fn probabilities_and_routes_are_told() {
    let model = model();
    let mut session = model.session(&SessionOptions { top_logprobs: 2, trace_routes: true, ..endless() }).unwrap();
    session.append(&[3, 4, 5]).unwrap();
    session.step(4, 0).unwrap();
    let told = session.read_logprobs().unwrap();
    assert_eq!(told.len(), 4 * 3);
    assert_eq!(told[0], told[1]);
    assert!(session.read_routes().unwrap().iter().all(|route| route.gate > 0.0));
}

#[test]
fn models_are_shared_by_threads() {
    let model = model();
    let prompt = model.encode("threads").unwrap();
    let expected = continuation(&model, &prompt, 6);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(continuation(&model, &prompt, 6), expected));
        }
    });
}

#[test]
fn sessions_are_cancelled_from_other_threads() {
    let model = model();
    let mut session = model.session(&endless()).unwrap();
    let canceller = session.canceller();
    session.append(&[3]).unwrap();
    std::thread::spawn(move || canceller.cancel()).join().unwrap();
    assert_eq!(session.step(100, 0).unwrap().stop, Some(Stop::Cancelled));
    let canceller = session.canceller();
    drop(session);
    canceller.cancel();
}

#[test]
fn batches_say_what_sessions_say() {
    let model = model();
    let prompts: Vec<_> = ["one", "another one", "a third, longer than the others"].iter().map(|text| model.encode(text).unwrap()).collect();
    let mut batch = Batch::new(&model).unwrap();
    for prompt in &prompts {
        let mut session = model.session(&endless()).unwrap();
        session.append(prompt).unwrap();
        assert!(batch.add(session).is_ok());
    }
    for _ in 0..6 {
        assert_eq!(batch.step(1, 0).unwrap().failed, 0);
    }
    for (place, prompt) in prompts.iter().enumerate() {
        assert!(batch.result(place).is_ok());
        let told = batch.members()[place].read_tokens().unwrap();
        assert_eq!(told, continuation(&model, prompt, told.len() as i64));
    }
    assert_eq!(batch.result(9).unwrap_err().status, Status::InvalidArgument);
    assert!(batch.remove(9).err().unwrap().message.contains("no member 9"));
    let mut session = batch.remove(1).unwrap();
    session.step(1, 0).unwrap();
}

#[test]
fn errors_have_a_status_and_a_sentence() {
    let error = Model::open(&Runtime::new().unwrap(), "/no/such/model").unwrap_err();
    assert_eq!(error.status, Status::NotFound);
    assert!(error.to_string().contains("/no/such/model"));
    let model = model();
    let mut session = model.session(&endless()).unwrap();
    assert_eq!(session.append(&[1_000_000]).unwrap_err().status, Status::InvalidArgument);
    assert_eq!(session.step(1, 0).unwrap_err().status, Status::WrongState);
}
