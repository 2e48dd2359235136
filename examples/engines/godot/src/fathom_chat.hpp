// The node FathomChat: a character that answers, a little in each frame.
#pragma once

#include <fathom.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "godot_binding.hpp"
#include "shared_model.hpp"

// What GDScript sees stands in fathom_chat_class.cpp, with the signals named here. Main thread only, as for most nodes.
class FathomChat {
 public:
  explicit FathomChat(godot::Object node) : node_(node) {}
  ~FathomChat();

  // Begins to load, unless that is done. Signals `loading(share)`, then `loaded`, or `failed`.
  void load_model();
  // Begins to answer, after loading where that is to be done. Signals `text(piece)` until `finished(reason)` or
  // `failed(message)`. An answer under way is cancelled first.
  void ask(const std::string& prompt);
  // Ends the answer under way with `finished("cancelled")`; what was said stays said.
  void cancel();
  // Cancels, and forgets the conversation but for the system prompt.
  void forget();
  bool is_busy() const { return state_ != State::idle; }

  // Works for budget_us at most, or a little longer: see README.
  void frame();

  std::string model_path, system_prompt;
  std::int64_t threads = 2, budget_us = 2000, max_tokens = 256, context_length = 2048, seed = 0;
  double temperature = 0.7, top_p = 0.95;
  bool recommended_sampling = false;  // the checkpoint's own sampling instead of temperature and top_p

 private:
  // answering may begin in the frame after loading at the earliest, so that what is asked is never answered before ask()
  // returns
  enum class State { idle, loading, answering };
  struct Message {
    std::string role, content;
  };

  void follow_load();
  void begin_answer();
  bool make_session();
  bool encode_conversation(std::vector<std::int32_t>& tokens);
  void answer_on();
  void end_answer();
  void fail(std::string message);
  void release();
  void become(State state);
  void emit(const char* signal, const std::vector<godot::Value>& arguments = {}) { godot::emit(node_, signal, arguments); }

  godot::Object node_;
  State state_ = State::idle;
  bool asked_ = false;                 // the conversation's last question has no whole answer yet
  bool loaded_ = false;                // and that was said
  std::vector<Message> conversation_;  // user and assistant in turn
  std::int64_t tokens_left_ = 0;
  std::shared_ptr<SharedModel> model_;
  fathom_session* session_ = nullptr;
  std::int64_t session_length_ = 0;
};
