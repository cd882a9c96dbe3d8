// Tells ThreadSanitizer what it can't see: orders that a C library makes without its atomics.
#ifndef STILLFRAME_BASE_THREAD_SANITIZER_H_
#define STILLFRAME_BASE_THREAD_SANITIZER_H_

// STILLFRAME_TSAN is defined in a build with -fsanitize=thread; g++ and clang say so in ways of
// their own.
#if defined(__SANITIZE_THREAD__)
#define STILLFRAME_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define STILLFRAME_TSAN 1
#endif
#endif

#ifdef STILLFRAME_TSAN
extern "C" void __tsan_acquire(void* address);
extern "C" void __tsan_release(void* address);
#endif

namespace stillframe {

// What was done before TsanRelease of an address happened before what follows a TsanAcquire of it.
// Nothing in any other build.
#ifdef STILLFRAME_TSAN
inline void TsanAcquire(void* address) { __tsan_acquire(address); }
inline void TsanRelease(void* address) { __tsan_release(address); }
#else
inline void TsanAcquire(void*) {}
inline void TsanRelease(void*) {}
#endif

}  // namespace stillframe

#endif  // STILLFRAME_BASE_THREAD_SANITIZER_H_
