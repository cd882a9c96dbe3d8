// 64 threads with deep stacks, for debuggers to look at: threads_target
//
// Each thread has a stack of its own depth and waits in a way of its own: for a condition, for a
// pipe, for a time, or not at all. Globals, memory of each thread, and lists on the heap hold
// values that a debugger can be asked for. Prints "ready ADDRESS" (of a string on the heap) when
// every thread is where it stays, the main thread too.
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { kThreads = 64, kNodes = 100 };

struct node {
  int number;
  char name[32];
  struct node* next;
};

struct global {
  int magic;
  double ratio;
  const char* text;
  struct node* list;
  uint64_t table[16];
};

struct global global_state;
static char zeros[1 << 16];
__thread int thread_number;
static atomic_int waiting;
static volatile int staying = 1;  // nobody says otherwise
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int pipe_ends[2];
static char* heap_text;

static struct node* make_list(int first, int count) {
  struct node* list = NULL;
  for (int i = count; i-- > 0;) {
    struct node* node = malloc(sizeof(*node));
    node->number = first + i;
    snprintf(node->name, sizeof(node->name), "node %d", first + i);
    node->next = list;
    list = node;
  }
  return list;
}

// Without end; what it leaves in the frames of its callers is what a debugger shows.
static void stay(int kind) {
  static volatile uint64_t turns;
  char byte;
  // A vector register that nobody else uses is another one in each thread.
  __asm__ volatile("movq %0, %%xmm9" : : "r"((uint64_t)thread_number << 32 | 0x5eed) : "xmm9");
  if (++waiting == kThreads) {
    printf("ready %p\n", (void*)heap_text);
    fflush(stdout);
  }
  if (kind == 0) pthread_mutex_lock(&mutex);
  while (staying) {
    const struct timespec hour = {.tv_sec = 3600, .tv_nsec = 0};
    if (kind == 0) {
      pthread_cond_wait(&condition, &mutex);
    } else if (kind == 1) {
      if (read(pipe_ends[0], &byte, 1) == 1) abort();
    } else if (kind == 2) {
      nanosleep(&hour, NULL);
    } else {
      ++turns;
    }
  }
}

static int go_deep(int left, int thread, struct node* list) {
  volatile int here = left * 1000 + thread;
  char name[24];
  snprintf(name, sizeof(name), "frame %d of %d", left, thread);
  if (left == 0) {
    stay(thread % 16 == 15 ? 3 : thread % 3);
  } else {
    here += go_deep(left - 1, thread, list != NULL ? list->next : NULL);
  }
  return here + name[0];
}

static void* run(void* argument) {
  const int thread = (int)(intptr_t)argument;
  thread_number = thread + 100;
  struct node* list = make_list(thread * 1000, kNodes);
  go_deep(20 + thread % 30, thread, list);
  return NULL;
}

int main(void) {
  // Else each arena reserves 64 MiB, and gcore writes all of them.
  mallopt(M_ARENA_MAX, 1);
  global_state.magic = 0x5f3759df;
  global_state.ratio = 0.125;
  global_state.text = "text in a read-only section";
  global_state.list = make_list(1, kNodes);
  for (unsigned i = 0; i < 16; ++i) global_state.table[i] = UINT64_C(0x0101010101010101) * i;
  zeros[sizeof(zeros) / 2] = 'z';
  heap_text = strdup("a string on the heap");
  if (pipe(pipe_ends) != 0) return 1;
  // Small stacks: gcore writes all of each.
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 << 10);
  for (int i = 0; i < kThreads - 1; ++i) {
    pthread_t thread;
    if (pthread_create(&thread, &attributes, run, (void*)(intptr_t)i) != 0) return 1;
  }
  thread_number = 42;
  return go_deep(100, kThreads - 1, global_state.list);
}
