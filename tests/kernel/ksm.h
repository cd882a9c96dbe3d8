// Turns the merging of equal pages on for a test. It is one switch for the whole machine.
#ifndef STILLFRAME_TESTS_KERNEL_KSM_H_
#define STILLFRAME_TESTS_KERNEL_KSM_H_

#include <fstream>
#include <string>

namespace stillframe {

class KsmOn {
 public:
  KsmOn() {
    Set("sleep_millisecs", "1");
    Set("pages_to_scan", "5000");
    Set("run", "1");
  }
  ~KsmOn() {
    Set("run", run_);
    Set("pages_to_scan", pages_);
    Set("sleep_millisecs", sleep_);
  }

  static bool IsThere() { return static_cast<bool>(std::ifstream("/sys/kernel/mm/ksm/run")); }

 private:
  static std::string Get(const std::string& name) {
    std::string value;
    std::ifstream("/sys/kernel/mm/ksm/" + name) >> value;
    return value;
  }
  static void Set(const std::string& name, const std::string& value) {
    std::ofstream("/sys/kernel/mm/ksm/" + name) << value;
  }
  const std::string run_ = Get("run");
  const std::string pages_ = Get("pages_to_scan");
  const std::string sleep_ = Get("sleep_millisecs");
};

}  // namespace stillframe

#endif  // STILLFRAME_TESTS_KERNEL_KSM_H_
