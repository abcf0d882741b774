#include "fetch/download.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/digest.h"
#include "core/files.h"

// Attempts in a row that bring no byte.
enum { FRUITLESS_LIMIT = 3, PAUSE_MILLISECONDS = 500 };

// What one answer of the server came to.
enum outcome {
  COMPLETE,  // all bytes are there
  BROKEN_OFF // some are; the next attempt goes on
};

struct transfer {
  const struct download *download;
  CURL *curl;
  int fd; // of the .part file
  char part[PATH_LIMIT];
  uint64_t have;       // bytes of it
  bool locked;         // it is ours
  bool resumed;        // some were there before this answer, or before this execution
  bool started;        // this answer's first bytes have come
  int64_t range;       // where the answer says that it begins; -1: it does not say
  bool stopped;        // by `stop`
  enum status refused; // what the write callback found; its message is in `error`
  struct error *error;
};

// --- callbacks -------------------------------------------------------------------------------------------------------

static size_t on_header(char *line, size_t size, size_t count, void *self)
{
  static const char name[] = "content-range: bytes ";
  struct transfer *transfer = self;
  size_t length = size * count;
  char text[64] = "";
  if (length > 5 && !strncasecmp(line, "HTTP/", 5)) transfer->range = -1; // another answer, after a redirection
  if (length > sizeof name && !strncasecmp(line, name, sizeof name - 1)) {
    snprintf(text, sizeof text, "%.*s", (int)(length - sizeof name + 1), line + sizeof name - 1);
    transfer->range = strtoll(text, NULL, 10);
  }
  return length;
}

static enum status start_over(struct transfer *transfer)
{
  transfer->have = 0;
  transfer->resumed = false;
  if (ftruncate(transfer->fd, 0) < 0) return fail_errno(transfer->error, "cannot write %s", transfer->part);
  return OK;
}

// Whether the answer's bytes go behind those that are there.
static enum status begin_answer(struct transfer *transfer)
{
  long code = 0;
  curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &code);
  transfer->started = true;
  if (transfer->have == 0) return OK;
  if (code == 206 && transfer->range == (int64_t)transfer->have) return OK;
  if (code == 206) return fail(transfer->error, BAD_DATA, "%s: the server sent another range", transfer->download->url);
  return start_over(transfer); // 200: it does not know ranges, and sends the whole file
}

static size_t on_bytes(char *bytes, size_t size, size_t count, void *self)
{
  struct transfer *transfer = self;
  const struct download *download = transfer->download;
  size_t length = size * count;
  enum status status = transfer->started ? OK : begin_answer(transfer);
  if (!status && length > download->bytes - transfer->have)
    status = fail(transfer->error, BAD_DATA, "%s: the server's file has more than %" PRIu64 " bytes: it is another one",
                  download->url, download->bytes);
  if (!status) status = file_write_all_at(transfer->fd, bytes, length, transfer->have, transfer->part, transfer->error);
  transfer->refused = status;
  if (status) return 0;
  transfer->have += length;
  if (download->progress) download->progress(download->self, transfer->have);
  return length;
}

static bool asked_to_stop(struct transfer *transfer)
{
  const struct download *download = transfer->download;
  if (download->stop && download->stop(download->self)) transfer->stopped = true;
  return transfer->stopped;
}

static int on_progress(void *self, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
  (void)down_total, (void)down, (void)up_total, (void)up;
  return asked_to_stop(self);
}

// --- one request -----------------------------------------------------------------------------------------------------

// All that an easy handle is told. The options themselves cannot be refused, but for want of memory, which the transfer
// tells.
static void set_options(struct transfer *transfer)
{
  CURL *curl = transfer->curl;
  curl_easy_setopt(curl, CURLOPT_URL, transfer->download->url);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https"); // a file:// in a redirection reads this machine's files
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
  curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "asl-alphabet");
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 15L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L); // bytes a second ...
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 30L); // ... over so many
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, transfer);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, transfer);
}

// Connections break; what the server says, and what this machine lacks, stays as it is.
static bool may_pass(CURLcode code, long answer)
{
  switch (code) {
  case CURLE_PARTIAL_FILE:
  case CURLE_RECV_ERROR:
  case CURLE_SEND_ERROR:
  case CURLE_GOT_NOTHING:
  case CURLE_OPERATION_TIMEDOUT:
  case CURLE_HTTP2:
  case CURLE_HTTP2_STREAM:
    return true;
  case CURLE_HTTP_RETURNED_ERROR:
    return answer >= 500;
  default:
    return false;
  }
}

static enum status request(struct transfer *transfer, enum outcome *outcome, struct error *error)
{
  char range[32], reason[CURL_ERROR_SIZE] = "";
  const struct download *download = transfer->download;
  transfer->started = false;
  transfer->range = -1;
  transfer->refused = OK;
  snprintf(range, sizeof range, "%" PRIu64 "-", transfer->have);
  curl_easy_setopt(transfer->curl, CURLOPT_RANGE, transfer->have ? range : NULL);
  curl_easy_setopt(transfer->curl, CURLOPT_ERRORBUFFER, reason);
  CURLcode code = curl_easy_perform(transfer->curl);
  curl_easy_setopt(transfer->curl, CURLOPT_ERRORBUFFER, NULL);
  long answer = 0;
  curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &answer);
  *outcome = transfer->have == download->bytes ? COMPLETE : BROKEN_OFF;
  if (transfer->refused) return transfer->refused; // its message is there
  if (transfer->stopped || *outcome == COMPLETE || code == CURLE_OK || may_pass(code, answer)) return OK;
  if (code == CURLE_HTTP_RETURNED_ERROR && answer == 416 && transfer->have > 0) // nothing lies behind what we have
    return fail(error, BAD_DATA, "%s: the server's file has %" PRIu64 " bytes or fewer, not %" PRIu64, download->url,
                transfer->have, download->bytes);
  return fail(error, FAILED, "%s: %s", download->url, reason[0] ? reason : curl_easy_strerror(code));
}

// --- the whole file --------------------------------------------------------------------------------------------------

// Requests until all bytes are there, some attempts in a row bring none, or the server's answer is final.
static enum status fetch_all(struct transfer *transfer, struct error *error)
{
  const struct download *download = transfer->download;
  enum outcome outcome = transfer->have == download->bytes ? COMPLETE : BROKEN_OFF;
  for (int fruitless = 0; outcome != COMPLETE;) {
    uint64_t before = transfer->have;
    enum status status = request(transfer, &outcome, error);
    if (status) return status;
    if (asked_to_stop(transfer))
      return fail(error, INTERRUPTED, "stopped at %" PRIu64 " of %" PRIu64 " bytes of %s", transfer->have,
                  download->bytes, transfer->part);
    if (outcome == COMPLETE) break;
    fruitless = transfer->have > before ? 0 : fruitless + 1;
    if (fruitless == FRUITLESS_LIMIT)
      return fail(error, FAILED,
                  "%s: the connection broke off at %" PRIu64 " of %" PRIu64
                  " bytes, %d times in a row; what is there is kept in %s",
                  download->url, transfer->have, download->bytes, fruitless, transfer->part);
    if (transfer->have > 0) transfer->resumed = true;
    poll(NULL, 0, PAUSE_MILLISECONDS * fruitless);
  }
  return OK;
}

static enum status check_room(const struct transfer *transfer, struct error *error)
{
  struct statvfs system;
  if (fstatvfs(transfer->fd, &system) < 0) return fail_errno(error, "cannot look at the disk of %s", transfer->part);
  uint64_t room = (uint64_t)system.f_bavail * system.f_frsize, needed = transfer->download->bytes - transfer->have;
  if (room >= needed) return OK;
  return fail(error, FAILED, "%s: %" PRIu64 " bytes are free on its disk, the download needs %" PRIu64, transfer->part,
              room, needed);
}

static enum status open_part(struct transfer *transfer, struct error *error)
{
  struct stat info, named;
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  int length = snprintf(transfer->part, sizeof transfer->part, "%s.part", transfer->download->path);
  if (length >= (int)sizeof transfer->part)
    return fail(error, BAD_USAGE, "%s: too long a path", transfer->download->path);
  transfer->fd = open(transfer->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
  if (transfer->fd < 0) return fail_errno(error, "cannot write %s", transfer->part);
  if (fcntl(transfer->fd, F_OFD_SETLK, &lock) < 0)
    return fail(error, FAILED, "%s: another process is downloading it; wait for it or stop it", transfer->part);
  // Only now: whoever had the lock until now may have written to the file, and published or removed it.
  if (fstat(transfer->fd, &info) < 0) return fail_errno(error, "cannot read %s", transfer->part);
  if (!S_ISREG(info.st_mode)) return fail(error, BAD_DATA, "%s: not a plain file", transfer->part);
  if (lstat(transfer->part, &named) < 0 || named.st_ino != info.st_ino || named.st_dev != info.st_dev)
    return fail(error, FAILED, "%s: another process has just finished with it; try again", transfer->part);
  transfer->locked = true;
  transfer->have = (uint64_t)info.st_size;
  transfer->resumed = transfer->have > 0;
  if (transfer->have > transfer->download->bytes) return start_over(transfer);
  return OK;
}

// *right: size and MD5 are.
static enum status check_digest(const struct transfer *transfer, bool *right, char md5[MD5_TEXT], struct error *error)
{
  enum status status = md5_of_opened(md5, transfer->fd, transfer->part, error);
  *right = !status && !strcmp(md5, transfer->download->md5);
  return status;
}

static enum status publish(const struct transfer *transfer, struct error *error)
{
  if (fsync(transfer->fd) < 0) return fail_errno(error, "cannot sync %s", transfer->part);
  return file_rename(transfer->part, transfer->download->path, error);
}

static enum status fetch_and_check(struct transfer *transfer, struct error *error)
{
  char md5[MD5_TEXT];
  bool right = false;
  enum status status = fetch_all(transfer, error);
  if (status == BAD_DATA && transfer->resumed) { // what is there is of another file, or of another server
    status = start_over(transfer);
    if (!status) status = fetch_all(transfer, error);
  }
  if (!status) status = check_digest(transfer, &right, md5, error);
  if (!status && !right && transfer->resumed) {
    status = start_over(transfer);
    if (!status) status = fetch_all(transfer, error);
    if (!status) status = check_digest(transfer, &right, md5, error);
  }
  if (status) return status;
  if (right) return publish(transfer, error);
  return fail(error, BAD_DATA, "%s: the server's file has the MD5 %s; it must have %s", transfer->download->url, md5,
              transfer->download->md5);
}

enum status download(const struct download *download, struct error *error)
{
  struct transfer transfer = {.download = download, .fd = -1, .error = error};
  enum status status = open_part(&transfer, error);
  if (!status) status = check_room(&transfer, error);
  if (!status && curl_global_init(CURL_GLOBAL_DEFAULT)) status = fail(error, FAILED, "libcurl cannot be started");
  if (!status) {
    transfer.curl = curl_easy_init();
    if (!transfer.curl) status = fail_memory(error, "libcurl", 0);
    if (!status) set_options(&transfer);
    if (!status) status = fetch_and_check(&transfer, error);
    curl_easy_cleanup(transfer.curl);
    curl_global_cleanup();
  }
  // A partial file without a byte, or of another file, is of no use to the next attempt.
  if (transfer.locked && status && (transfer.have == 0 || status == BAD_DATA)) unlink(transfer.part);
  if (transfer.fd >= 0) close(transfer.fd);
  return status;
}
