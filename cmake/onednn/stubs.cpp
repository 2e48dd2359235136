// What the slimmed oneDNN (see Slim.cmake) refers to in files that are left out. All of it is reachable only from primitives
// and memory objects, which the ukernel functions never create; it is here so that the archive has no undefined symbols.

#include "common/bfloat16.hpp"
#include "common/memory.hpp"
#include "common/memory_desc.hpp"

namespace dnnl {
namespace impl {

extern memory_desc_t glob_zero_md;
memory_desc_t glob_zero_md = memory_desc_t();

// "No, not converted" makes the caller round in plain C++; the left-out version generates code to do the same.
bool try_cvt_float_to_bfloat16(bfloat16_t*, const float*) { return false; }

}  // namespace impl
}  // namespace dnnl

dnnl::impl::status_t dnnl_memory::zero_pad(const dnnl::impl::exec_ctx_t&) const { return dnnl::impl::status::unimplemented; }

extern "C" size_t DNNL_API dnnl_engine_get_count(dnnl_engine_kind_t) { return 0; }
