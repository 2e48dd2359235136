#include "base/view.hpp"

#include <doctest/doctest.h>

using namespace fathom;

TEST_CASE("a matrix finds rows by its stride, and a slice is a window on them") {
  float data[12] = {0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23};
  const Matrix<float> whole(data, 3, 3, 4);
  CHECK(whole.row(2)[1] == 21);
  const Matrix<float> last = whole.slice(1, 2);
  CHECK(last.rows == 2);
  CHECK(last.row(1)[0] == 20);
  last.row(0)[2] = 99;
  CHECK(data[6] == 99);
  const Matrix<const float> readable = last;
  CHECK(readable.row(0) == data + 4);
  CHECK(Matrix<float>(data, 3, 4).stride == 4);
}
