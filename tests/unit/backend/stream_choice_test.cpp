// The choice of prefetch as text.
#include "backend/stream_choice.hpp"

#include <doctest/doctest.h>

#include <string>

#include "kernels/prefetch_rows.hpp"
#include "support/check_error.hpp"

namespace fathom {
namespace {

using kernels::kPrefetchRows;
using kernels::StreamPrefetch;
using enum StorageFormat;

// Two formats have a choice.
kernels::KernelTable table() {
  kernels::KernelTable table{};
  table.prefetch[int(q4_k)] = &kernels::kBlockPrefetch;
  table.prefetch[int(bf16)] = &kernels::kFloatPrefetch;
  return table;
}

bool same(const StreamPrefetch& a, const StreamPrefetch& b) {
  for (int kind = 0; kind < kernels::kPrefetchKinds; ++kind) {
    if (!(a.of[kind] == b.of[kind])) return false;
  }
  return true;
}

TEST_CASE("a choice begins with the built-in prefetch of every format that has one") {
  const StreamChoice choice(table());
  CHECK(choice.text() == "builtin");
  REQUIRE(choice.of(q4_k));
  REQUIRE(choice.of(bf16));
  CHECK(same(*choice.of(q4_k), kernels::kBlockPrefetch));
  CHECK(same(*choice.of(bf16), kernels::kFloatPrefetch));
  CHECK(!choice.of(q6_k));
  CHECK(!choice.of(i64));
  CHECK(!choice.of(other));
}

TEST_CASE("text gives back the choice that it was made from, with every prefetch") {
  for (const auto& a : kPrefetchRows) {
    for (const auto& b : kPrefetchRows) {
      StreamChoice choice(table());
      choice.set(q4_k, {{a.how, b.how, a.how}});
      choice.set(bf16, {{b.how, b.how, a.how}});
      const std::string text = choice.text();
      CAPTURE(text);
      const StreamChoice read = StreamChoice::parse(table(), text);
      CHECK(read.text() == text);
      CHECK(same(*read.of(q4_k), *choice.of(q4_k)));
      CHECK(same(*read.of(bf16), *choice.of(bf16)));
    }
  }
}

TEST_CASE("a text lists formats and the prefetch for few, several and many rows") {
  const StreamChoice choice = StreamChoice::parse(table(), "Q4_K=none,8k,tile");
  CHECK(choice.text() == "Q4_K=none,8k,tile");
  CHECK(choice.of(q4_k)->of[0].even == kernels::kPrefetchNothing);
  CHECK(choice.of(q4_k)->of[1].even == 8192);
  CHECK(choice.of(q4_k)->of[2].next_tile == 1);
  CHECK(same(*choice.of(bf16), kernels::kFloatPrefetch));
}

TEST_CASE("an empty text, 'builtin' and formats without a choice leave the built-in prefetch") {
  for (const char* text : {"", "builtin", "Q6_K=none,none,none"}) {
    CAPTURE(text);
    CHECK(StreamChoice::parse(table(), text).text() == "builtin");
  }
}

TEST_CASE("a wrong text is refused with the part that is wrong") {
  for (const char* text : {"Q4_K", "Q4_K=", "Q4_K=none", "Q4_K=none,none", "Q4_K=none,none,none,none", "Q4_K=none,none,2k",
                           "Q9_K=none,none,none", "=none,none,none", "BUILTIN", "Q4_K=none,none,none  BF16=4k,4k,4k", " "}) {
    CAPTURE(text);
    test::check_error(Status::invalid_argument, {"streams"}, [&] { StreamChoice::parse(table(), text); });
  }
}

}  // namespace
}  // namespace fathom
