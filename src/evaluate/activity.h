// One thing that the workload does over and over, with memory of its own that it checks.
#ifndef STILLFRAME_EVALUATE_ACTIVITY_H_
#define STILLFRAME_EVALUATE_ACTIVITY_H_

namespace stillframe::evaluate {

// Thread rule: Prepare, Step and Corrupt on one thread, its own; CheckAll when that has ended. A
// check that fails ends the process (check_failure.h).
class Activity {
 public:
  Activity() = default;
  Activity(const Activity&) = delete;
  Activity& operator=(const Activity&) = delete;
  virtual ~Activity() = default;

  // Brings its memory to a start: may take long.
  virtual void Prepare() {}
  // A piece of work of bounded length, the check of what it touches included.
  virtual void Step() = 0;
  // Checks all it has.
  virtual void CheckAll() = 0;
  // Puts a wrong byte into its memory behind its own back.
  virtual void Corrupt() = 0;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_ACTIVITY_H_
