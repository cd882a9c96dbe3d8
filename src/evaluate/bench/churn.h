// Everything that gives memory back or moves it, in turn, on one thread.
#ifndef STILLFRAME_EVALUATE_BENCH_CHURN_H_
#define STILLFRAME_EVALUATE_BENCH_CHURN_H_

#include <array>
#include <cstdint>
#include <memory>

#include "evaluate/activity.h"

namespace stillframe::evaluate {

// malloc and free of blocks that are mappings of their own; MADV_DONTNEED and MADV_FREE; mremap.
class BenchChurn final : public Activity {
 public:
  static constexpr double kStepsPerSecond = 200;

  explicit BenchChurn(uint64_t seed);

  void Prepare() override;
  void Step() override;
  void CheckAll() override;
  void Corrupt() override;

 private:
  std::array<std::unique_ptr<Activity>, 3> parts_;
  size_t next_ = 0;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_BENCH_CHURN_H_
