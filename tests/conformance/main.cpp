// doctest's main with one option more: --model=NAME runs the tests over one fixture only.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace fathom::test {
void choose_model(const std::string& name);
}

int main(int argc, char** argv) {
  doctest::Context context(argc, argv);
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with("--model=")) fathom::test::choose_model(std::string(argument.substr(8)));
  }
  return context.run();
}
