// Downloads: the one room that knows the network. A file whose size and MD5 are known beforehand is fetched by HTTP or
// HTTPS, resumed where an earlier attempt ended, and gets its name when it is whole, right and on the disk.
//
//   no file -> PATH.part   while it is fetched; what interrupts, kills or cuts it off leaves it for the next attempt
//   PATH.part -> PATH      size and MD5 are right: fsync, rename, fsync of the folder
//   PATH.part -> no file   all bytes are there and wrong, and were not resumed: the server's file is another
#ifndef FETCH_DOWNLOAD_H
#define FETCH_DOWNLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"

struct download {
  const char *url, *path; // the path's folder is there
  uint64_t bytes;
  const char *md5; // 32 hexadecimal digits
  // Both may be NULL. `progress` gets the bytes that are there so far, which may fall back where a server cannot
  // resume; `stop` is asked about once a second.
  void *self;
  void (*progress)(void *self, uint64_t done);
  bool (*stop)(void *self);
};

// FAILED where the server cannot be reached, says no, or breaks off again and again without sending anything, where the
// disk has no room, or where another process is downloading the same file; BAD_DATA where the server's file is another;
// INTERRUPTED after `stop`.
enum status download(const struct download *download, struct error *error);

#endif
