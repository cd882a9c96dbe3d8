// A directory for one test, gone with it.
#ifndef STILLFRAME_TESTS_SUPPORT_TEMP_DIR_H_
#define STILLFRAME_TESTS_SUPPORT_TEMP_DIR_H_

#include <string>
#include <vector>

namespace stillframe::test {

class TempDir {
 public:
  // Under $TMPDIR, else /tmp. Ends the test program when it can't be made.
  TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir();

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  // Names of what is in it, hidden ones too, sorted.
  std::vector<std::string> List() const;

 private:
  std::string path_;
};

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_SUPPORT_TEMP_DIR_H_
