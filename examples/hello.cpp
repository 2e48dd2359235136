// The smallest program on the C++ API: answers one question.
//   hello_cpp MODEL [QUESTION]        MODEL: a Hugging Face folder or a .gguf file
#include <iostream>

#include "fathom/chat.hpp"
#include "fathom/session.hpp"

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: hello_cpp MODEL [QUESTION]\n";
    return 2;
  }
  try {
    const fathom::Runtime runtime;
    const fathom::Model model = fathom::Model::open(runtime, argv[1]);

    const fathom::ChatMessage question{"user", argc > 2 ? argv[2] : "What is the capital of France?"};
    fathom::Session session(model);
    session.append(fathom::encode_chat(model.tokenizer(), {&question, 1}));

    fathom::StopReason stop = fathom::StopReason::none;
    for (int token = 0; token < 200 && stop == fathom::StopReason::none; ++token) {
      stop = session.step().stop;
      std::cout << session.take_text() << std::flush;
    }
    std::cout << '\n';
  } catch (const fathom::Error& error) {
    std::cerr << "hello_cpp: " << error.message() << '\n';
    return 1;
  }
}
