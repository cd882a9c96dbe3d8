#include "region/rcu.h"

#include <urcu/urcu-memb.h>

#include "base/thread_sanitizer.h"

namespace stillframe {
namespace {

#ifdef STILLFRAME_TSAN
// Stands for the grace period: a reader's unlock happens before the writer's return from
// Synchronize.
char grace_period;
void* GracePeriod() { return &grace_period; }
#else
void* GracePeriod() { return nullptr; }
#endif

}  // namespace

RcuThread::RcuThread() { urcu_memb_register_thread(); }
RcuThread::~RcuThread() { urcu_memb_unregister_thread(); }

RcuReadLock::RcuReadLock() { urcu_memb_read_lock(); }
RcuReadLock::~RcuReadLock() {
  TsanRelease(GracePeriod());
  urcu_memb_read_unlock();
}

namespace rcu_internal {

void* Dereference(void* const* slot) {
  void* value = __atomic_load_n(slot, __ATOMIC_CONSUME);
  if (value != nullptr) TsanAcquire(value);
  return value;
}

void* Exchange(void** slot, void* value) {
  if (value != nullptr) TsanRelease(value);
  return __atomic_exchange_n(slot, value, __ATOMIC_ACQ_REL);
}

void Synchronize() {
  urcu_memb_synchronize_rcu();
  TsanAcquire(GracePeriod());
}

}  // namespace rcu_internal
}  // namespace stillframe
