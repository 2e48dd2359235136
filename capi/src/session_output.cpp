// What a session has to tell: text, tokens, probabilities, logits, routes.
#include "buffers.hpp"
#include "objects.hpp"

namespace {

// Hands out what is unread and forgets it once it was taken.
template <typename Unread, typename Element>
void read_out(Unread& unread, Element* buffer, size_t capacity, size_t* needed) {
  if (capi::write_array(unread, buffer, capacity, needed)) unread.clear();
}

}  // namespace

int32_t fathom_session_read_text(fathom_session* session, char* text, size_t capacity, size_t* needed) {
  return capi::guard([&] {
    const auto used = capi::write(session, "session");
    used->unread_text += used->value.take_text();
    read_out(used->unread_text, text, capacity, needed);
  });
}

int32_t fathom_session_read_tokens(fathom_session* session, int32_t* tokens, size_t capacity, size_t* needed) {
  return capi::guard([&] {
    const auto used = capi::write(session, "session");
    const auto taken = used->value.take_tokens();
    used->unread_tokens.insert(used->unread_tokens.end(), taken.begin(), taken.end());
    read_out(used->unread_tokens, tokens, capacity, needed);
  });
}

int32_t fathom_session_read_logprobs(fathom_session* session, fathom_logprob* logprobs, size_t capacity, size_t* needed) {
  return capi::guard([&] {
    const auto used = capi::write(session, "session");
    for (const fathom::TokenLogprob& each : used->value.take_logprobs()) {
      used->unread_logprobs.push_back({each.token, each.logprob});
    }
    read_out(used->unread_logprobs, logprobs, capacity, needed);
  });
}

int32_t fathom_session_tokens(const fathom_session* session, int32_t* tokens, size_t capacity, size_t* needed) {
  return capi::guard([&] {
    const auto used = capi::read(session, "session");
    capi::write_array(used->value.tokens(), tokens, capacity, needed);
  });
}

int32_t fathom_session_logits(const fathom_session* session, const float** logits, size_t* count) {
  return capi::guard([&] {
    const auto used = capi::read(session, "session");
    capi::require(logits != nullptr && count != nullptr, "logits or count is NULL");
    const std::span<const float> row = used->value.logits();
    *logits = row.data();
    *count = row.size();
  });
}

int32_t fathom_session_read_routes(fathom_session* session, fathom_route* routes, size_t capacity, size_t* needed) {
  return capi::guard([&] {
    const auto used = capi::write(session, "session");
    for (const fathom::Route& route : used->value.take_routes()) {
      for (std::size_t i = 0; i < route.experts.size(); ++i) {
        used->unread_routes.push_back({route.position, route.layer, route.experts[i], route.weights[i], 0});
      }
    }
    read_out(used->unread_routes, routes, capacity, needed);
  });
}

int32_t fathom_session_route_totals(const fathom_session* session, int32_t layer, uint64_t* counts, double* gates,
                                    size_t capacity, size_t* needed) {
  return capi::guard([&] {
    const auto used = capi::read(session, "session");
    capi::require(needed != nullptr, "needed is NULL");
    const fathom::RouteTotals& totals = used->value.route_totals(layer);
    if (counts == nullptr && gates == nullptr) {
      *needed = totals.counts.size();
      return;
    }
    if (counts != nullptr) capi::write_array(totals.counts, counts, capacity, needed);
    if (gates != nullptr) capi::write_array(totals.weights, gates, capacity, needed);
  });
}
