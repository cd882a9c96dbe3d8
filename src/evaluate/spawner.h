// Spawns short programs, as a shell or a build would.
#ifndef STILLFRAME_EVALUATE_SPAWNER_H_
#define STILLFRAME_EVALUATE_SPAWNER_H_

#include "evaluate/activity.h"
#include "evaluate/mapped_memory.h"
#include "evaluate/owned_pages.h"

namespace stillframe::evaluate {

class Spawner final : public Activity {
 public:
  explicit Spawner(uint64_t seed);

  // posix_spawn of /bin/true: its child shares our memory until it execs.
  void Step() override;
  void CheckAll() override { pages_.CheckAll(); }
  void Corrupt() override { pages_.Corrupt(0); }

 private:
  MappedMemory memory_;
  OwnedPages pages_;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_SPAWNER_H_
