// A tmpfs of its own, gone with it.
#ifndef STILLFRAME_TESTS_SUPPORT_SMALL_DISK_H_
#define STILLFRAME_TESTS_SUPPORT_SMALL_DISK_H_

#include <sys/mount.h>
#include <sys/stat.h>

#include <string>

namespace stillframe::test {

class SmallDisk {
 public:
  // Of 1 MiB, at `path`, which is made if it isn't there. Needs root.
  explicit SmallDisk(const std::string& path) : path_(path) {
    mkdir(path.c_str(), 0700);
    mounted_ = mount("none", path.c_str(), "tmpfs", 0, "size=1m") == 0;
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    if (mounted_) umount2(path_.c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  bool MakeReadOnly() const {
    return mount("none", path_.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr) == 0;
  }

 private:
  const std::string path_;
  bool mounted_ = false;
};

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_SUPPORT_SMALL_DISK_H_
