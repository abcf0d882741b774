#include "engine/fit/centralize.h"

enum { WIDTH = 16 }; // outputs that one thread takes: a cache line of each row

// The mean over rows of columns first .. first + count - 1 of g [rows, columns] leaves them.
static void centralize_columns(float *g, size_t rows, size_t columns, size_t first, size_t count)
{
  double mean[WIDTH] = {0};
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < count; c++) mean[c] += (double)g[r * columns + first + c];
  float shift[WIDTH];
  for (size_t c = 0; c < count; c++) shift[c] = (float)(mean[c] / (double)rows);
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < count; c++) g[r * columns + first + c] -= shift[c];
}

void centralize_gradient(struct parameter *parameter, int threads)
{
  if (parameter->rank < 2 || !parameter->gradient) return;
  size_t columns = (size_t)parameter->shape[parameter->rank - 1];
  if (columns < 2) return;
  size_t rows = parameter->count / columns;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (size_t first = 0; first < columns; first += WIDTH)
    centralize_columns(parameter->gradient, rows, columns, first, columns - first < WIDTH ? columns - first : WIDTH);
}
