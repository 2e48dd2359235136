#include "base/storage_format.hpp"

namespace fathom {
namespace {

#define FATHOM_ENTER(id, name, values, bytes) {StorageFormat::id, #name, values, bytes},
constexpr StorageLayout kLayouts[] = {
    FATHOM_ALL_FORMATS(FATHOM_ENTER)  //
    {StorageFormat::other, "?", 0, 0},
};
#undef FATHOM_ENTER
static_assert(sizeof(kLayouts) / sizeof(kLayouts[0]) == kStorageFormats);

}  // namespace

const StorageLayout& storage_layout(StorageFormat format) noexcept {
  const int index = int(format);
  return kLayouts[index < kStorageFormats ? index : kStorageFormats - 1];
}

}  // namespace fathom
