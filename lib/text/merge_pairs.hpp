// The merge loop of byte-pair encoding: join the best adjacent pair, leftmost among equals, until none is left.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "text/tokenizer.hpp"

namespace fathom::text {

// A part of the piece: its text, and its token where the model knows one (-1 else).
struct Symbol {
  std::string_view text;
  TokenId id = -1;
};

// What two neighbours would become. Lower priority values go first.
struct Merge {
  double priority;
  TokenId id;
};

struct MergeScratch {
  struct Candidate {
    double priority;
    std::uint32_t left, right;              // numbers of the symbols; the left one's is the place in the piece
    std::uint32_t left_bytes, right_bytes;  // as they were: a symbol that has grown since is another one
    TokenId id;
  };
  struct Link {
    std::uint32_t previous, next;
  };
  std::vector<std::optional<Merge>> pairs;
  std::vector<Candidate> heap;
  std::vector<Link> links;
};

// Neighbours in `text` are neighbours in memory, so that joining two is extending the left one.
inline void join(Symbol& left, const Symbol& right, TokenId id) {
  left.text = std::string_view(left.text.data(), left.text.size() + right.text.size());
  left.id = id;
}

// Looks at all pairs before each merge: quadratic, and the faster way for words.
template <typename FindMerge>
void merge_short(std::vector<Symbol>& symbols, MergeScratch& scratch, const FindMerge& find) {
  auto& pairs = scratch.pairs;  // pairs[i]: symbols i and i + 1
  pairs.clear();
  for (std::size_t i = 0; i + 1 < symbols.size(); ++i) pairs.push_back(find(symbols[i], symbols[i + 1]));
  for (;;) {
    std::size_t best = pairs.size();
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      if (pairs[i] && (best == pairs.size() || pairs[i]->priority < pairs[best]->priority)) best = i;
    }
    if (best == pairs.size()) return;
    join(symbols[best], symbols[best + 1], pairs[best]->id);
    symbols.erase(symbols.begin() + std::ptrdiff_t(best) + 1);
    pairs.erase(pairs.begin() + std::ptrdiff_t(best));
    if (best < pairs.size()) pairs[best] = find(symbols[best], symbols[best + 1]);
    if (best > 0) pairs[best - 1] = find(symbols[best - 1], symbols[best]);
  }
}

// A heap of candidates over a linked list of symbols: n log n.
template <typename FindMerge>
void merge_long(std::vector<Symbol>& symbols, MergeScratch& scratch, const FindMerge& find) {
  constexpr std::uint32_t kNone = UINT32_MAX;
  const auto later = [](const MergeScratch::Candidate& a, const MergeScratch::Candidate& b) {
    return a.priority != b.priority ? a.priority > b.priority : a.left > b.left;
  };
  auto& heap = scratch.heap;
  auto& links = scratch.links;
  heap.clear();
  links.clear();
  const auto propose = [&](std::uint32_t left, std::uint32_t right) {
    if (left == kNone || right == kNone) return;
    const auto merge = find(symbols[left], symbols[right]);
    if (!merge) return;
    heap.push_back({merge->priority, left, right, std::uint32_t(symbols[left].text.size()),
                    std::uint32_t(symbols[right].text.size()), merge->id});
    std::push_heap(heap.begin(), heap.end(), later);
  };

  const auto count = std::uint32_t(symbols.size());
  for (std::uint32_t i = 0; i < count; ++i) links.push_back({i == 0 ? kNone : i - 1, i + 1 == count ? kNone : i + 1});
  for (std::uint32_t i = 0; i + 1 < count; ++i) propose(i, i + 1);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    const MergeScratch::Candidate candidate = heap.back();
    heap.pop_back();
    Symbol& left = symbols[candidate.left];
    Symbol& right = symbols[candidate.right];
    if (left.text.size() != candidate.left_bytes || right.text.size() != candidate.right_bytes) continue;
    join(left, right, candidate.id);
    right.text = {};  // gone
    const std::uint32_t next = links[candidate.right].next;
    links[candidate.left].next = next;
    if (next != kNone) links[next].previous = candidate.left;
    propose(links[candidate.left].previous, candidate.left);
    propose(candidate.left, next);
  }
  std::erase_if(symbols, [](const Symbol& symbol) { return symbol.text.empty(); });
}

// `find(left, right)` gives the merge of two neighbours, if there is one. Symbols are not empty.
template <typename FindMerge>
void merge_pairs(std::vector<Symbol>& symbols, MergeScratch& scratch, const FindMerge& find) {
  constexpr std::size_t kShort = 48;
  if (symbols.size() <= kShort) {
    merge_short(symbols, scratch, find);
  } else {
    merge_long(symbols, scratch, find);
  }
}

}  // namespace fathom::text
