// The block formats, for what tables say of each: X(q4_0, Q4_0) and so on.
#pragma once

// Those with a form for sixteen rows side by side (interleave.hpp).
#define FATHOM_INTERLEAVED_FORMATS(X)                                                                             \
  X(q4_0, Q4_0)                                                                                                   \
  X(q4_1, Q4_1) X(q5_0, Q5_0) X(q5_1, Q5_1) X(q8_0, Q8_0) X(q2_k, Q2_K) X(q3_k, Q3_K) X(q4_k, Q4_K) X(q5_k, Q5_K) \
      X(q6_k, Q6_K) X(iq4_nl, IQ4_NL) X(iq4_xs, IQ4_XS)

#define FATHOM_BLOCK_FORMATS(X) FATHOM_INTERLEAVED_FORMATS(X) X(mxfp4, MXFP4)
