// The image benchmark's peer: OpenCV's own decoder and resize. Only where libopencv-imgcodecs-dev is installed.
#ifndef BENCH_IMAGE_PEER_H
#define BENCH_IMAGE_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Decodes `bytes` and resizes to size x size (INTER_AREA) into `out`; with size 0 it only decodes. false if OpenCV
// cannot.
bool image_peer(const uint8_t *bytes, size_t count, int size, uint8_t *out);

#ifdef __cplusplus
}
#endif

#endif
