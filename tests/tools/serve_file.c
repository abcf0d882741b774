// Serves one file by HTTP on a port of 127.0.0.1, with the faults that a test asks for; ends by itself after two
// minutes.
//
//   build/tools/serve_file FILE LOG [OPTION]...    prints its port on a line of its own
//
//   --no-range     sends the whole file, whatever range is asked for
//   --cut N        breaks off after N bytes of the body ...
//   --cuts K       ... in the first K answers only
//   --status CODE  answers with that and no file
//   --slow         a kilobyte every 20 ms
//   --shift        answers a range with the one that begins a byte later
//   --no-length    says not how long the body is
//
// LOG gets a line per request: the byte where the range begins, or "whole".
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

struct server {
  const char *path, *log;
  char *bytes;
  long size, cut, cuts, status;
  bool no_range, slow, shift, no_length;
};

static bool parse(struct server *server, int argc, char **argv)
{
  *server = (struct server){.cut = -1, .cuts = -1};
  for (int i = 1; i < argc; i++) {
    bool more = i + 1 < argc;
    if (!strcmp(argv[i], "--no-range"))
      server->no_range = true;
    else if (!strcmp(argv[i], "--slow"))
      server->slow = true;
    else if (!strcmp(argv[i], "--shift"))
      server->shift = true;
    else if (!strcmp(argv[i], "--no-length"))
      server->no_length = true;
    else if (!strcmp(argv[i], "--cut") && more)
      server->cut = strtol(argv[++i], NULL, 10);
    else if (!strcmp(argv[i], "--cuts") && more)
      server->cuts = strtol(argv[++i], NULL, 10);
    else if (!strcmp(argv[i], "--status") && more)
      server->status = strtol(argv[++i], NULL, 10);
    else if (!server->path)
      server->path = argv[i];
    else if (!server->log)
      server->log = argv[i];
    else
      return false;
  }
  return server->log != NULL;
}

static bool load(struct server *server)
{
  FILE *file = fopen(server->path, "rb");
  if (!file || fseek(file, 0, SEEK_END) != 0) return false;
  server->size = ftell(file);
  rewind(file);
  server->bytes = server->size >= 0 ? malloc((size_t)server->size + 1) : NULL;
  bool whole = server->bytes && fread(server->bytes, 1, (size_t)server->size, file) == (size_t)server->size;
  return fclose(file) == 0 && whole;
}

static bool send_all(int peer, const char *bytes, long size)
{
  for (long done = 0; done < size;) {
    ssize_t put = send(peer, bytes + done, (size_t)(size - done), MSG_NOSIGNAL);
    if (put <= 0) return false;
    done += put;
  }
  return true;
}

static void send_body(struct server *server, int peer, long from)
{
  long size = server->size - from;
  if (server->cut >= 0 && server->cut < size && server->cuts != 0) {
    size = server->cut;
    if (server->cuts > 0) server->cuts--;
  }
  if (!server->slow) {
    send_all(peer, server->bytes + from, size);
    return;
  }
  for (long done = 0; done < size; done += 1024) {
    if (!send_all(peer, server->bytes + from + done, size - done < 1024 ? size - done : 1024)) return;
    poll(NULL, 0, 20);
  }
}

static void note(const struct server *server, long from)
{
  FILE *log = fopen(server->log, "a");
  if (!log) return;
  if (from > 0)
    fprintf(log, "%ld\n", from);
  else
    fputs("whole\n", log);
  (void)fclose(log); // a test that misses the line fails
}

static void answer(struct server *server, int peer)
{
  char request[4096] = "", head[256], length[64] = "", range_text[96] = "";
  size_t used = 0;
  while (!strstr(request, "\r\n\r\n") && used < sizeof request - 1) {
    ssize_t got = recv(peer, request + used, sizeof request - 1 - used, 0);
    if (got <= 0) return;
    used += (size_t)got;
    request[used] = '\0';
  }
  const char *range = strcasestr(request, "\r\nrange: bytes=");
  long from = range ? strtol(range + 15, NULL, 10) : 0, code = 200;
  note(server, from);
  if (server->no_range) from = 0;
  if (from > 0 && server->shift) from++;
  if (from > 0) code = from < server->size ? 206 : 416;
  if (server->status) code = server->status;
  bool body = code == 200 || code == 206;
  if (code == 206)
    snprintf(range_text, sizeof range_text, "Content-Range: bytes %ld-%ld/%ld\r\n", from, server->size - 1,
             server->size);
  if (!server->no_length) snprintf(length, sizeof length, "Content-Length: %ld\r\n", body ? server->size - from : 0);
  int written =
      snprintf(head, sizeof head, "HTTP/1.1 %ld -\r\n%s%sConnection: close\r\n\r\n", code, length, range_text);
  if (send_all(peer, head, written) && body) send_body(server, peer, from);
}

int main(int argc, char **argv)
{
  struct server server;
  if (!parse(&server, argc, argv) || !load(&server)) {
    fputs("usage: serve_file FILE LOG [OPTION]...\n", stderr);
    return 2;
  }
  alarm(120);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4) < 0 ||
      getsockname(listener, (struct sockaddr *)&address, &length) < 0) {
    perror("serve_file");
    return 1;
  }
  printf("%d\n", ntohs(address.sin_port));
  if (fflush(stdout) != 0) return 1;
  for (;;) {
    int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (peer < 0) continue;
    answer(&server, peer);
    close(peer);
  }
}
