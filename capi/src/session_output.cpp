// What a session has to tell: text, tokens, probabilities, logits, routes.
#include "buffers.hpp"
#include "objects.hpp"

int32_t fathom_session_read_text(fathom_session* session, char* text, size_t capacity, size_t* needed) {
  return capi::guard([&] {
    const auto used = capi::write(session, "session");
    if (capi::write_array(used->value.untaken_text(), text, capacity, needed)) used->value.take_text();
  });
}

int32_t fathom_session_read_tokens(fathom_session* session, int32_t* tokens, size_t capacity, size_t* needed) {
  return capi::guard([&] {
    const auto used = capi::write(session, "session");
    if (capi::write_array(used->value.untaken_tokens(), tokens, capacity, needed)) used->value.take_tokens();
  });
}

int32_t fathom_session_read_logprobs(fathom_session* session, fathom_logprob* logprobs, size_t capacity, size_t* needed) {
  return capi::guard([&] {
    const auto used = capi::write(session, "session");
    std::vector<fathom_logprob> told;
    for (const fathom::TokenLogprob& each : used->value.untaken_logprobs()) told.push_back({each.token, each.logprob});
    if (capi::write_array(told, logprobs, capacity, needed)) used->value.take_logprobs();
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
    std::vector<fathom_route> told;
    for (const fathom::Route& route : used->value.untaken_routes()) {
      for (std::size_t i = 0; i < route.experts.size(); ++i) {
        told.push_back({route.position, route.layer, route.experts[i], route.weights[i], 0});
      }
    }
    if (capi::write_array(told, routes, capacity, needed)) used->value.take_routes();
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
