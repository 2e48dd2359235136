// Links, runs, and gets a sentence for a model that is not there.
#include <fathom/model.hpp>
#include <fathom/version.hpp>
#include <iostream>

int main() {
  try {
    fathom::Model::open(fathom::Runtime(), "/no/model");
  } catch (const fathom::Error& error) {
    std::cout << "fathom " << fathom::version() << ": " << error.message() << '\n';
    return error.status() == fathom::Status::not_found ? 0 : 1;
  }
  return 1;
}
