#include "image_peer.h"

#include <exception>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

extern "C" bool image_peer(const uint8_t *bytes, size_t count, int size, uint8_t *out)
{
  try {
    static const bool one_thread = (cv::setNumThreads(1), true); // images side by side, as ours
    (void)one_thread;
    cv::Mat file(1, static_cast<int>(count), CV_8U, const_cast<uint8_t *>(bytes));
    cv::Mat decoded = cv::imdecode(file, cv::IMREAD_COLOR);
    if (decoded.empty()) return false;
    if (!size) return true;
    cv::Mat resized(size, size, CV_8UC3, out);
    cv::resize(decoded, resized, resized.size(), 0, 0, cv::INTER_AREA);
    return resized.data == out;
  } catch (const std::exception &) {
    return false;
  }
}
