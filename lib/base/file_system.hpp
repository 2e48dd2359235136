// How files are reached: File and FileSystem, which a host may bring itself.
#pragma once

#include "fathom/host.hpp"
