// What the tool reads: whole files, standard input, and the three descriptors that every program expects.
#pragma once

#include <string>

namespace cli {

// Opens what is missing of descriptors 0 to 2, so that no file gets one of them: reads and writes there fail then. False when
// the system does not allow it.
bool reserve_standard_descriptors();

// Throws when standard input was closed before the program began.
void require_standard_input();

// Throws when the last read of standard input failed; its end is no failure.
void check_standard_input();

// A whole file, or standard input for "-". Throws when it cannot be read.
std::string read_file(const std::string& path);

}  // namespace cli
