extern "C" {
#include "image/opencv.h"
}

#include <exception>
#include <new>
#include <opencv2/imgproc.hpp>

namespace
{

cv::Mat matrix_of(const opencv_pixels &view)
{
  return cv::Mat(view.height, view.width, CV_8UC3, view.pixels, view.stride);
}

int interpolation_of(resize_filter filter)
{
  switch (filter) {
  case FILTER_AREA:
    return cv::INTER_AREA;
  case FILTER_CUBIC:
    return cv::INTER_CUBIC;
  case FILTER_LANCZOS:
    return cv::INTER_LANCZOS4;
  case FILTER_NEAREST:
    return cv::INTER_NEAREST_EXACT;
  case FILTER_LINEAR:
    break;
  }
  return cv::INTER_LINEAR;
}

// Once in a process, whichever thread comes first.
bool use_one_thread()
{
  cv::setNumThreads(1);
  return true;
}

} // namespace

extern "C" enum status opencv_resize(const struct opencv_pixels *source, const struct opencv_pixels *out,
                                     enum resize_filter filter, struct error *error)
{
  try {
    static const bool one_thread = use_one_thread();
    (void)one_thread;
    cv::Mat to = matrix_of(*out);
    cv::resize(matrix_of(*source), to, to.size(), 0, 0, interpolation_of(filter));
    if (to.data != out->pixels) return fail(error, FAILED, "OpenCV put its result elsewhere");
    return OK;
  } catch (const std::bad_alloc &) {
    return fail(error, OUT_OF_MEMORY, "out of memory: resizing an image");
  } catch (const std::exception &exception) {
    return fail(error, FAILED, "OpenCV cannot resize %d x %d to %d x %d pixels: %s", source->width, source->height,
                out->width, out->height, exception.what());
  } catch (...) {
    return fail(error, FAILED, "OpenCV cannot resize an image");
  }
}
