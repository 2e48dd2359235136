#include "fathom_chat.hpp"

#include <exception>
#include <random>
#include <utility>

namespace {

// Calls a function of fathom.h that fills a buffer, once for the size and once for the content.
template <typename Buffer, typename Call>
bool read_all(Buffer& buffer, Call call) {
  std::size_t needed = 0;
  const std::int32_t status = call(nullptr, 0, &needed);
  if (status != FATHOM_OK && status != FATHOM_BUFFER_TOO_SMALL) return false;
  buffer.resize(needed);
  return call(buffer.data(), needed, &needed) == FATHOM_OK;
}

const char* name_of_stop(std::int32_t stop) {
  switch (stop) {
    case FATHOM_STOP_NONE:
      return nullptr;
    case FATHOM_STOP_CONTEXT_FULL:
      return "context_full";
    default:
      return "end";
  }
}

}  // namespace

FathomChat::~FathomChat() { release(); }

void FathomChat::load_model() {
  if (state_ != State::idle) return;
  try {
    const auto model = SharedModel::open(godot::globalize_path(model_path), threads);
    if (model != model_) {
      release();
      model_ = model;
    }
  } catch (const std::exception& error) {  // no thread for the load, or no memory
    return fail("the load cannot begin: " + std::string(error.what()));
  }
  become(State::loading);
}

void FathomChat::ask(const std::string& prompt) {
  cancel();
  conversation_.push_back({"user", prompt});
  asked_ = true;
  load_model();
}

void FathomChat::cancel() {
  if (!asked_) return;
  if (state_ == State::answering) become(State::idle);  // a load goes on
  end_answer();
  emit("finished", {"cancelled"});
}

void FathomChat::forget() {
  cancel();
  conversation_.clear();
}

void FathomChat::frame() {
  if (state_ == State::loading) {
    follow_load();
  } else if (state_ == State::answering) {
    answer_on();
  }
}

void FathomChat::follow_load() {
  if (!model_->ready()) return emit("loading", {model_->progress()});
  if (model_->get() == nullptr) return fail(model_->error());
  become(State::idle);
  if (!loaded_) {
    loaded_ = true;
    emit("loaded");
  }
  if (asked_ && state_ == State::idle) begin_answer();  // whoever heard the signal may have changed that
}

void FathomChat::begin_answer() {
  std::vector<std::int32_t> tokens;
  fathom_sampling_options sampling = {};
  sampling.struct_size = sizeof sampling;
  if (!recommended_sampling) {
    sampling.temperature = float(temperature);
    sampling.top_p = float(top_p);
  } else if (fathom_model_recommended_sampling(model_->get(), &sampling) != FATHOM_OK) {
    return fail(fathom_last_error());
  }
  sampling.seed = seed != 0 ? std::uint64_t(seed) : std::random_device()();
  // What the session has of this conversation stays in its cache; only the rest is computed.
  if (!make_session() || !encode_conversation(tokens) || fathom_session_set_sampling(session_, &sampling) != FATHOM_OK ||
      fathom_session_sync(session_, tokens.data(), tokens.size(), nullptr) != FATHOM_OK) {
    return fail(fathom_last_error());
  }
  tokens_left_ = max_tokens;
  become(State::answering);
}

bool FathomChat::make_session() {
  if (session_ != nullptr && session_length_ == context_length) return true;
  fathom_session_release(session_);
  session_ = nullptr;
  fathom_session_options options = {};
  options.struct_size = sizeof options;
  options.context_length = session_length_ = context_length;
  return fathom_session_create(model_->get(), &options, &session_) == FATHOM_OK;
}

// What does not fit into the context is forgotten, the oldest questions and answers first.
bool FathomChat::encode_conversation(std::vector<std::int32_t>& tokens) {
  const fathom_model* model = model_->get();
  fathom_model_info info = {};
  info.struct_size = sizeof info;
  if (fathom_model_get_info(model, &info) != FATHOM_OK) return false;
  if (*info.chat_format == '\0') {  // a model that goes on with a text, and knows of no conversation
    const std::string& text = conversation_.back().content;
    return read_all(tokens, [&](std::int32_t* ids, std::size_t capacity, std::size_t* needed) {
      return fathom_encode(model, text.data(), text.size(), FATHOM_ENCODE_ADD_SPECIAL, ids, capacity, needed);
    });
  }
  for (;;) {
    std::vector<fathom_message> messages;
    if (!system_prompt.empty()) messages.push_back({"system", 6, system_prompt.data(), system_prompt.size()});
    for (const Message& message : conversation_) {
      messages.push_back({message.role.data(), message.role.size(), message.content.data(), message.content.size()});
    }
    const bool encoded = read_all(tokens, [&](std::int32_t* ids, std::size_t capacity, std::size_t* needed) {
      return fathom_encode_chat(model, messages.data(), messages.size(), nullptr, ids, capacity, needed);
    });
    if (!encoded || std::int64_t(tokens.size()) + max_tokens <= context_length || conversation_.size() < 3) return encoded;
    conversation_.erase(conversation_.begin(), conversation_.begin() + 2);
  }
}

void FathomChat::answer_on() {
  fathom_step_options options = {};
  options.struct_size = sizeof options;
  options.budget_us = budget_us;
  options.max_new_tokens = tokens_left_;
  fathom_step_result result = {};
  result.struct_size = sizeof result;
  std::string piece;
  if (fathom_session_step(session_, &options, &result) != FATHOM_OK ||
      !read_all(piece, [&](char* text, std::size_t capacity, std::size_t* needed) {
        return fathom_session_read_text(session_, text, capacity, needed);
      })) {
    return fail(fathom_last_error());
  }
  tokens_left_ -= result.new_tokens;
  if (!piece.empty()) {
    if (conversation_.back().role != "assistant") conversation_.push_back({"assistant", {}});
    conversation_.back().content += piece;
    emit("text", {piece});
    if (state_ != State::answering) return;  // whoever heard that has cancelled, or asked something else
  }
  const char* reason = name_of_stop(result.stop);
  if (reason == nullptr && tokens_left_ == 0) reason = "max_tokens";
  if (reason == nullptr) return;
  become(State::idle);
  end_answer();
  emit("finished", {reason});
}

void FathomChat::end_answer() {
  asked_ = false;
  if (conversation_.back().role == "user") conversation_.pop_back();  // to which nothing was said
}

void FathomChat::fail(std::string message) {  // by value: what is released below may be where it came from
  if (asked_) end_answer();
  if (model_ == nullptr || model_->get() == nullptr) release();  // so that the next load tries again
  become(State::idle);
  emit("failed", {std::move(message)});
}

void FathomChat::release() {
  fathom_session_release(session_);
  session_ = nullptr;
  model_.reset();
  loaded_ = false;
}

void FathomChat::become(State state) {
  state_ = state;
  godot::set_process_internal(node_, state != State::idle);
}
