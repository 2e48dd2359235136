// What the opaque handles hold: one reference each on an object of the C++ API.
#pragma once

#include <string>
#include <vector>

#include "fathom.h"
#include "fathom/model.hpp"
#include "fathom/runtime.hpp"
#include "fathom/session.hpp"

struct fathom_runtime {
  fathom::Runtime value;
};

struct fathom_model {
  fathom::Model value;
};

struct fathom_session {
  fathom::Session value;
  std::string unread_text;  // taken from the session, not yet from here
  std::vector<fathom::TokenId> unread_tokens;
};
