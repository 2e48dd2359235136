// The options of models, sessions and steps, from C to C++.
#pragma once

#include "fathom.h"
#include "fathom/model.hpp"
#include "fathom/sampling.hpp"
#include "fathom/session.hpp"

namespace capi {

fathom::ModelOptions read_model_options(const fathom_model_options* options);
fathom::SamplingOptions read_sampling(const fathom_sampling_options* options);
fathom_sampling_options write_sampling(const fathom::SamplingOptions& options) noexcept;
fathom::StopOptions read_stop(const fathom_stop_options* options);
fathom::SessionOptions read_session(const fathom_session_options* options);
fathom::StepOptions read_step(const fathom_step_options* options);

// A path as the C++ API wants it.
std::string read_path(const char* path, std::size_t path_size);

fathom_step_result write_step(const fathom::StepResult& result) noexcept;

}  // namespace capi
