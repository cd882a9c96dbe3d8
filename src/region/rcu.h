// liburcu, wrapped once. ThreadSanitizer can't see its assembly, so what it orders is told to it
// here.
#ifndef STILLFRAME_REGION_RCU_H_
#define STILLFRAME_REGION_RCU_H_

#include <memory>
#include <utility>

namespace stillframe {

// Makes the calling thread one that may read, for as long as this lives.
class RcuThread {
 public:
  RcuThread();
  ~RcuThread();
  RcuThread(const RcuThread&) = delete;
  RcuThread& operator=(const RcuThread&) = delete;
};

// A read-side critical section: what was read stays until it ends. Never blocks. Short: a writer
// may wait for it.
class RcuReadLock {
 public:
  RcuReadLock();
  ~RcuReadLock();
  RcuReadLock(const RcuReadLock&) = delete;
  RcuReadLock& operator=(const RcuReadLock&) = delete;
};

namespace rcu_internal {
void* Dereference(void* const* slot);
void* Exchange(void** slot, void* value);
// Waits until every reader that could see what was exchanged is done.
void Synchronize();
}  // namespace rcu_internal

// Owns an immutable T that readers see through a lock, and a writer replaces as a whole.
// Thread rule: Read under an RcuReadLock by any RcuThread; Replace by one thread, outside of a read
// lock.
template <class T, class Deleter = std::default_delete<T>>
class RcuOwned {
 public:
  using Owner = std::unique_ptr<const T, Deleter>;

  RcuOwned() = default;
  ~RcuOwned() { Replace(Owner()); }
  RcuOwned(const RcuOwned&) = delete;
  RcuOwned& operator=(const RcuOwned&) = delete;

  const T* Read(const RcuReadLock&) const {
    return static_cast<const T*>(rcu_internal::Dereference(&slot_));
  }
  // Publishes `value`, waits for the readers of the old one, and frees that.
  void Replace(Owner value) {
    const T* next = value.get();
    std::swap(owner_, value);
    if (rcu_internal::Exchange(&slot_, const_cast<T*>(next)) != nullptr)
      rcu_internal::Synchronize();
  }

 private:
  void* slot_ = nullptr;
  Owner owner_;
};

}  // namespace stillframe

#endif  // STILLFRAME_REGION_RCU_H_
