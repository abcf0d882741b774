// Files: paths, safe opening, whole reads, sorted walks, and publication.
//
// Publication is the only way in which the project writes a file that others will read:
//
//   struct publication file;                                        // temp in the target's folder
//   status = publication_open(&file, "runs/cnn/results.csv", &e);   // -> write to file.fd or file.stream
//   ...
//   status = publication_commit(&file, &e);                         // flush, fsync, rename, fsync the folder
//   publication_discard(&file);                                     // always: removes the temp unless it was committed
#ifndef CORE_FILES_H
#define CORE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/status.h"

enum { PATH_LIMIT = 4096 };

// "folder/name" into out[PATH_LIMIT]; BAD_DATA if it does not fit.
enum status path_join(char out[PATH_LIMIT], const char *folder, const char *name, struct error *error);

// Whether `inner` is below `outer`; both are absolute and without links, as realpath makes them.
bool path_lies_within(const char *inner, const char *outer);

// The folder that somebody asked for as an absolute path without links; BAD_USAGE if it is none. `who` asked, for the
// message: a key, an option.
enum status folder_find(char out[PATH_LIMIT], const char *who, const char *path, struct error *error);

// Makes a folder and its parents.
enum status folder_make(const char *path, struct error *error);

// Opens a plain file below the folder `root` (a descriptor) for reading without following any link out of it, without
// blocking on a FIFO: openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS), or a walk of components where the kernel lacks
// it. *out is the descriptor, *size the file's length. BAD_DATA for anything that is not a plain file.
enum status file_open_beneath(int *out, uint64_t *size, int root, const char *path, struct error *error);

// Reads a whole file into *bytes (free it); BAD_DATA if it is longer than `limit`.
enum status file_read(uint8_t **bytes, size_t *size, const char *path, size_t limit, struct error *error);

// Reads exactly `size` bytes at the descriptor's current place; a shorter file is BAD_DATA. Retries EINTR and short
// reads.
enum status file_read_exactly(int fd, void *bytes, size_t size, const char *path, struct error *error);

// Writes all bytes; retries EINTR and short writes.
enum status file_write_all(int fd, const void *bytes, size_t size, const char *path, struct error *error);
enum status file_write_all_at(int fd, const void *bytes, size_t size, uint64_t offset, const char *path,
                              struct error *error);

// One entry of a folder. Names are bytes, as the file system has them.
struct entry {
  char *name;
  bool is_folder;  // a real folder, not a link to one
  bool is_regular; // a plain file
  bool is_link;
  uint64_t size, inode;
  int64_t mtime_ns;
};

struct listing {
  struct entry *entries; // sorted by the bytes of their names
  size_t count;
};

// Lists a folder (dot names included; "." and ".." not).
enum status folder_list(struct listing *out, const char *path, struct error *error);
void listing_release(struct listing *listing);

struct publication {
  int fd;
  FILE *stream; // over fd; flushed and checked by commit
  bool committed;
  char path[PATH_LIMIT], temporary[PATH_LIMIT];
};

enum status publication_open(struct publication *file, const char *path, struct error *error);
enum status publication_commit(struct publication *file, struct error *error);
// The same without a sync: atomic for whoever looks, but after a power failure the file may be cut or empty. Only for
// files that are checked against a digest and can be made again.
enum status publication_commit_unsynced(struct publication *file, struct error *error);
void publication_discard(struct publication *file); // harmless on a zeroed or committed publication

// Gives a file that is written and synced another name in its folder, and syncs the folder.
enum status file_rename(const char *from, const char *to, struct error *error);

// Removes from `folder` what publications of processes that are gone have left: a publication's temporary file is
// locked until it is committed or discarded. A folder that is not there has none.
enum status publications_collect(const char *folder, struct error *error);

#endif
