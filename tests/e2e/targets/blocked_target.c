// Threads that are blocked in system calls, each in another one: blocked_target
//
// Prints "ready TID NUMBER" for each thread, in its own words, right before it makes the call.
// `held` has memory of the heap that a debugger can be asked for.
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int ends[2];
static int word = 1;

struct held {
  const char* text;
  long numbers[64];
};
struct held* held;

static void hold(void) {
  held = malloc(sizeof(*held));
  held->text = strdup("a string of a blocked program");
  for (long i = 0; i < 64; ++i) held->numbers[i] = i * 1000003;
}

static void say(long number) {
  char line[64];
  const int size = snprintf(line, sizeof(line), "ready %d %ld\n", (int)gettid(), number);
  if (write(STDOUT_FILENO, line, (size_t)size) != size) abort();
}

static void* in_read(void* unused) {
  char byte;
  say(SYS_read);
  while (read(ends[0], &byte, 1) < 0 && errno == EINTR) continue;
  return unused;
}

// Begun anew by a call of its own (restart_syscall) after it was interrupted.
static void* in_poll(void* unused) {
  struct pollfd entry = {.fd = ends[0], .events = POLLIN, .revents = 0};
  say(SYS_poll);
  poll(&entry, 1, INT_MAX);
  return unused;
}

static void* in_sleep(void* unused) {
  const struct timespec long_time = {.tv_sec = 100000, .tv_nsec = 0};
  say(SYS_clock_nanosleep);
  clock_nanosleep(CLOCK_MONOTONIC, 0, &long_time, NULL);
  return unused;
}

static void* in_futex(void* unused) {
  const struct timespec long_time = {.tv_sec = 100000, .tv_nsec = 0};
  say(SYS_futex);
  syscall(SYS_futex, &word, FUTEX_WAIT, 1, &long_time, NULL, 0);
  return unused;
}

static void* in_epoll(void* unused) {
  const int poller = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event;
  say(SYS_epoll_wait);
  epoll_wait(poller, &event, 1, -1);
  return unused;
}

static void* in_accept(void* unused) {
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const struct sockaddr nameless = {.sa_family = AF_UNIX};
  if (bind(listener, &nameless, sizeof(sa_family_t)) != 0 || listen(listener, 1) != 0) abort();
  say(SYS_accept);
  accept(listener, NULL, NULL);
  return unused;
}

static void* in_sigwait(void* unused) {
  sigset_t none;
  sigemptyset(&none);
  sigaddset(&none, SIGUSR2);
  say(SYS_rt_sigtimedwait);
  sigwaitinfo(&none, NULL);
  return unused;
}

int main(void) {
  static void* (*const calls[])(void*) = {in_read,  in_poll,   in_sleep,  in_futex,
                                          in_epoll, in_accept, in_sigwait};
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &blocked, NULL);
  hold();
  if (pipe(ends) != 0) return 1;
  for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); ++i) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, calls[i], NULL) != 0) return 1;
  }
  in_read(NULL);
  return 0;
}
