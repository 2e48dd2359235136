#include "text/bpe.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "base/rng.hpp"

using namespace fathom;
using namespace fathom::text;

namespace {

using Ids = std::vector<TokenId>;

Ids encode(const Model& model, std::string_view piece) {
  ModelScratch scratch;
  Ids ids;
  model.encode(piece, scratch, ids);
  return ids;
}

// Merges over the letters a to d: each rule joins two tokens that exist by then, so chains and ties come up.
struct RandomMerges {
  struct Rule {
    TokenId left, right, merged;
  };
  Vocabulary vocabulary;
  std::vector<Rule> rules;

  explicit RandomMerges(std::uint64_t seed) {
    Rng rng(seed);
    for (const char* letter : {"a", "b", "c", "d"}) vocabulary.add(TokenId(vocabulary.size()), letter, "test");
    while (vocabulary.size() < 60) {
      const auto pick = [&] { return TokenId(rng.next() % std::uint64_t(vocabulary.size())); };
      const TokenId left = pick(), right = pick();
      const std::string joined = std::string(vocabulary.text(left)).append(vocabulary.text(right));
      if (joined.size() > 12 || vocabulary.find(joined)) continue;
      rules.push_back({left, right, TokenId(vocabulary.size())});
      vocabulary.add(TokenId(vocabulary.size()), joined, "test");
    }
  }

  MergeTable table() const {
    MergeTable merges(rules.size());
    for (std::size_t rank = 0; rank < rules.size(); ++rank) {
      merges.add(rules[rank].left, rules[rank].right, std::uint32_t(rank), rules[rank].merged);
    }
    return merges;
  }

  // The definition: again and again, the pair of lowest rank, leftmost first.
  Ids by_definition(std::string_view text) const {
    Ids ids;
    for (char c : text) ids.push_back(TokenId(c - 'a'));
    for (;;) {
      std::size_t best_rank = rules.size(), best = 0;
      for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
        for (std::size_t rank = 0; rank < best_rank; ++rank) {
          if (rules[rank].left == ids[i] && rules[rank].right == ids[i + 1]) best_rank = rank, best = i;
        }
      }
      if (best_rank == rules.size()) return ids;
      ids[best] = rules[best_rank].merged;
      ids.erase(ids.begin() + std::ptrdiff_t(best) + 1);
    }
  }
};

std::string random_letters(Rng& rng, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text.push_back(char('a' + rng.next() % 4));
  return text;
}

ByteTokens no_bytes() {
  ByteTokens bytes;
  bytes.fill(-1);
  return bytes;
}

}  // namespace

TEST_CASE("merging by rank gives what its definition gives, for words and for long pieces") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    RandomMerges merges(seed);
    RankedBpe rules;
    rules.merges = merges.table();
    rules.bytes = no_bytes();
    const auto model = ranked_bpe(std::move(rules), merges.vocabulary);
    Rng rng(seed);
    for (std::size_t length : {1, 2, 3, 7, 20, 47, 48, 49, 50, 120, 400}) {
      const std::string text = random_letters(rng, length);
      CAPTURE(text);
      CHECK(encode(*model, text) == merges.by_definition(text));
      const std::string run(length, 'a');
      CHECK(encode(*model, run) == merges.by_definition(run));
    }
  }
}

TEST_CASE("the score of the merged token decides, leftmost first, and leftovers become bytes") {
  Vocabulary vocabulary;
  const std::vector<std::pair<std::string, float>> tokens = {{"<unk>", 0},  {"a", -9},    {"b", -9},   {"c", -9},
                                                             {"ab", -3},    {"bc", -2},   {"abc", -5}, {"aa", -1},
                                                             {"<0xC3>", 0}, {"<0xA9>", 0}};
  ScoredBpe rules;
  rules.bytes = no_bytes();
  for (const auto& [text, score] : tokens) {
    vocabulary.add(TokenId(vocabulary.size()), text, "test");
    rules.scores.push_back(score);
    rules.mergeable.push_back(text[0] != '<');
  }
  rules.bytes[0xC3] = 8;
  rules.bytes[0xA9] = 9;
  rules.unknown = 0;
  const auto model = scored_bpe(std::move(rules), vocabulary);
  CHECK(encode(*model, "abc") == Ids{6});     // bc before ab, then a + bc, though no merge list says so
  CHECK(encode(*model, "aaa") == Ids{7, 1});  // the left pair of equals
  CHECK(encode(*model, "aéb") == Ids{1, 8, 9, 2});
  CHECK(encode(*model, "a!b") == Ids{1, 0, 2});          // no byte token for it
  CHECK(encode(*model, "<unk>") == Ids{0, 0, 0, 0, 0});  // spelled out, it is no control token
  std::string many;
  Ids expected;
  for (int i = 0; i < 100; ++i) many += "abc", expected.push_back(6);
  CHECK(encode(*model, many) == expected);
}

TEST_CASE("a character without a token becomes bytes, an unknown, or nothing") {
  Vocabulary vocabulary;
  for (const char* text : {"<unk>", "a", "b", "ab", "<0xC3>", "<0xA9>"})
    vocabulary.add(TokenId(vocabulary.size()), text, "test");
  const auto model = [&](bool fallback, bool unknown, bool fuse) {
    RankedBpe rules;
    rules.merges = MergeTable(1);
    rules.merges.add(1, 2, 0, 3);
    rules.bytes = no_bytes();
    rules.bytes[0xC3] = 4;
    rules.bytes[0xA9] = 5;
    rules.byte_fallback = fallback;
    if (unknown) rules.unknown = 0;
    rules.fuse_unknown = fuse;
    return ranked_bpe(std::move(rules), vocabulary);
  };
  CHECK(encode(*model(true, true, false), "aéb") == Ids{1, 4, 5, 2});
  CHECK(encode(*model(true, true, false), "a你b") == Ids{1, 0, 2});
  CHECK(encode(*model(false, true, false), "你好é") == Ids{0, 0, 0});
  CHECK(encode(*model(false, true, true), "你好ab你") == Ids{0, 3, 0});
  CHECK(encode(*model(false, false, false), "a你b") == Ids{3});
}

TEST_CASE("with ignore_merges a piece that is a token is it, unless that is an added token") {
  Vocabulary vocabulary;
  for (const char* text : {"a", "b", "Ġ", "Ġab", "ab"}) vocabulary.add(TokenId(vocabulary.size()), text, "test");
  RankedBpe rules;
  rules.bytes = no_bytes();
  rules.bytes['a'] = 0, rules.bytes['b'] = 1, rules.bytes[' '] = 2;
  rules.byte_level = true;
  rules.ignore_merges = true;
  rules.is_added = {false, false, false, false, true};
  const auto model = ranked_bpe(std::move(rules), vocabulary);
  CHECK(encode(*model, " ab") == Ids{3});
  CHECK(encode(*model, "ab") == Ids{0, 1});
}

TEST_CASE("the merge table finds what was put in, the last of equals, and nothing else") {
  MergeTable table(1000);
  Rng rng(7);
  std::map<std::pair<TokenId, TokenId>, std::uint32_t> expected;
  for (std::uint32_t rank = 0; rank < 1000; ++rank) {
    const auto left = TokenId(rng.next() % 50), right = TokenId(rng.next() % 50);
    table.add(left, right, rank, TokenId(rank));
    expected[{left, right}] = rank;
  }
  for (TokenId left = 0; left < 51; ++left) {
    for (TokenId right = 0; right < 51; ++right) {
      const auto place = expected.find({left, right});
      const auto found = table.find(left, right);
      REQUIRE(found.has_value() == (place != expected.end()));
      if (found) CHECK(found->id == TokenId(place->second));
    }
  }
  CHECK_FALSE(MergeTable(0).find(0, 0));
}
