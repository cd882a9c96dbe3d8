/* Asks a redis-server in an even time and writes down how late each answer came: redis_client PORT RATE KEYS SIZE LOG
 *
 * RATE requests a second over one connection, SET and GET in turn, of random keys among key:0 to key:KEYS-1, values of SIZE
 * bytes. A request is late from the time that it was due, so that one which had to wait for others is counted as well.
 * LOG gets two 64-bit numbers per request, in nanoseconds of CLOCK_MONOTONIC: when it was due, when it was answered.
 * Prints "ready" once it is connected; ends with SIGTERM. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST_BYTES = 64 << 10 };

static volatile sig_atomic_t ending;

static void end(int signal) {
  (void)signal;
  ending = 1;
}

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static void sleep_until(int64_t when) {
  const struct timespec time = {.tv_sec = when / 1000000000, .tv_nsec = when % 1000000000};
  while (!ending && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) != 0) continue;
}

static int connect_to(uint16_t port) {
  const int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const int on = 1;
  setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (connect(connection, (const struct sockaddr*)&address, sizeof(address)) != 0) {
    perror("connect");
    exit(1);
  }
  return connection;
}

static int send_all(int connection, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t sent = send(connection, data, size, MSG_NOSIGNAL);
    if (sent <= 0) return 0;
    data += sent;
    size -= (size_t)sent;
  }
  return 1;
}

/* "+OK\r\n", or "$SIZE\r\n" and the value: all of one answer, since only one is ever under way. */
static int read_answer(int connection, char* buffer) {
  size_t have = 0;
  for (;;) {
    const ssize_t got = recv(connection, buffer + have, MOST_BYTES - 1 - have, 0);
    if (got <= 0) return 0;
    have += (size_t)got;
    buffer[have] = 0;
    const char* end_of_line = strstr(buffer, "\r\n");
    if (end_of_line == NULL) continue;
    if (buffer[0] == '-') return 0;
    if (buffer[0] != '$') return 1;
    const long size = strtol(buffer + 1, NULL, 10);
    if (size < 0) return 1;
    if (have >= (size_t)(end_of_line - buffer) + 2 + (size_t)size + 2) return 1;
  }
}

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  const int64_t interval = 1000000000 / strtol(argv[2], NULL, 10);
  const unsigned long keys = strtoul(argv[3], NULL, 10);
  const size_t size = strtoul(argv[4], NULL, 10);
  FILE* log = fopen(argv[5], "wb");
  static char request[MOST_BYTES];
  static char answer[MOST_BYTES];
  static char value[MOST_BYTES / 2];
  if (log == NULL || size > sizeof(value) || keys == 0) return 2;
  memset(value, 'v', size);
  const struct sigaction action = {.sa_handler = end};
  sigaction(SIGTERM, &action, NULL);
  prctl(PR_SET_TIMERSLACK, 1UL);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int connection = connect_to((uint16_t)strtoul(argv[1], NULL, 10));
  puts("ready");
  fflush(stdout);
  uint64_t random = 88172645463325252u;
  int64_t due = now();
  for (long i = 0; !ending; ++i, due += interval) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    char key[32];
    const int key_size = snprintf(key, sizeof(key), "key:%lu", (unsigned long)(random % keys));
    const int length =
        i % 2 == 0 ? snprintf(request, sizeof(request),
                              "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%zu\r\n%.*s\r\n", key_size, key, size,
                              (int)size, value)
                   : snprintf(request, sizeof(request), "*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", key_size, key);
    sleep_until(due);
    if (ending) break;
    if (!send_all(connection, request, (size_t)length) || !read_answer(connection, answer)) {
      if (ending) break;
      fputs("redis_client: the server is gone, or refused\n", stderr);
      return 1;
    }
    const int64_t entry[2] = {due, now()};
    if (fwrite(entry, sizeof(entry), 1, log) != 1) return 1;
  }
  return fclose(log) == 0 ? 0 : 1;
}
