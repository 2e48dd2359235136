// Asks a model one question and prints its answer.
//   hello_cpp [MODEL [QUESTION]]        MODEL: a .gguf file or a Hugging Face folder
#include <iostream>

#include "fathom/chat.hpp"
#include "fathom/session.hpp"

int main(int argc, char** argv) try {
  const char* path = argc > 1 ? argv[1] : "model.gguf";
  const fathom::ChatMessage question{"user", argc > 2 ? argv[2] : "Tell me a story in one sentence."};

  const fathom::Runtime runtime;                                           // threads, instruction set, hooks of the host
  const fathom::Model model = fathom::Model::open(runtime, path);          // immutable, shared by any number of sessions
  fathom::Session session(model);                                          // one text, with its cache
  session.append(fathom::encode_chat(model.tokenizer(), {&question, 1}));  // queued, nothing is computed yet
  for (int token = 0; token < 200 && session.step().stop == fathom::StopReason::none; ++token) {
    std::cout << session.take_text() << std::flush;
  }
  std::cout << session.take_text() << '\n';
} catch (const fathom::Error& error) {
  std::cerr << "hello_cpp: " << error.message() << '\n';
  return argc > 1 ? 1 : 2;
}
