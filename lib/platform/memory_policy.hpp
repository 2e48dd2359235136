// What the system is asked about the memory that weights lie in. All of it is a wish: where it is not granted, nothing is lost
// but time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace fathom {

// Asks the system to read these pages of a file, and does not wait: one request of the whole range, where bringing it in makes
// many.
void read_ahead(std::span<const std::byte> mapped) noexcept;

// Asks for large pages, when the pages come in: reading weights then misses the address translation 512 times less often.
void prefer_large_pages(std::span<const std::byte> mapped) noexcept;

// Brings the pages in now, reading files where they are not in memory yet. False where the system cannot, or met an error.
bool bring_in(std::span<const std::byte> mapped) noexcept;

// Gives back the memory of the whole pages inside a range of a read-only map of a file; they come in again when they are read.
// Never for memory that is not such a map: its contents would be lost. False where the system cannot.
bool release_file_pages(std::span<const std::byte> mapped) noexcept;

// The machine's memory, or the lowest memory limit of the process's container where that is less. 0 where the system does not
// tell.
std::int64_t physical_memory_bytes() noexcept;

}  // namespace fathom
