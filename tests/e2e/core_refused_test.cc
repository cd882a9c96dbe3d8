// What `save` refuses, `core` refuses in the same way: pids, outputs, images. Nothing is left
// behind, and the target runs on.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <ostream>

#include "core_check.h"
#include "scripted.h"
#include "support/process_view.h"
#include "support/small_disk.h"

namespace stillframe::test {
namespace {

using nlohmann::literals::operator""_json_pointer;

constexpr uid_t kNobody = 65534;
// Stands for the command's own pid.
constexpr char kOwnPid[] = "$$";

class CoreRefusedTest;

struct RefusedCase {
  std::string name;
  int exit_code = 0;
  std::string code;
  // Gets all ready; returns what stands behind the verb.
  std::vector<std::string> (*prepare)(CoreRefusedTest& test) = nullptr;
  // Where nothing can be done about it there is none.
  bool has_hint = true;

  friend void PrintTo(const RefusedCase& refused, std::ostream* out) { *out << refused.name; }
};

class CoreRefusedTest : public CoreTest, public testing::WithParamInterface<RefusedCase> {
 public:
  std::string Pid() const { return std::to_string(target_.pid()); }
  // The only place where anything is written.
  std::string InPlace(const std::string& name) const { return place_ / name; }
  std::vector<std::string> InPlace() const { return place_.List(); }
  void GivePlaceTo(uid_t user) const { ASSERT_EQ(chown(place_.path().c_str(), user, user), 0); }

  // "disk" in the place is a full one from here on, of 1 MiB.
  const SmallDisk& MakeDisk() {
    disk_.emplace(InPlace("disk"));
    EXPECT_TRUE(disk_->mounted());
    return *disk_;
  }
  void RunAs(uid_t user) { options_.user = user; }

  pid_t MakeZombie() {
    zombie_ = fork();
    if (zombie_ == 0) _exit(0);
    EXPECT_TRUE(Eventually([this] { return StateOf(zombie_) == 'Z'; }));
    return zombie_;
  }

  // An image of the target, in no way damaged.
  std::string MakeImage() const {
    const CommandOutcome save = RunSave(target_.pid(), directory_ / "image");
    EXPECT_EQ(save.exit_code, kExitDone) << save.err;
    return directory_ / "image";
  }
  // One into which `change` has put something wrong.
  template <class Change>
  std::vector<std::string> FromWrongImage(Change change) const {
    const std::string path = MakeImage();
    std::string content = ReadFile(path);
    EXPECT_GT(content.size(), 2u << 20);
    change(content);
    WriteFile(path, content);
    return {"--from", path, "-o", InPlace("core")};
  }

 protected:
  void TearDown() override {
    if (zombie_ > 0) waitpid(zombie_, nullptr, 0);
  }

  CommandOutcome Run(const std::string& verb, std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), verb);
    arguments.insert(arguments.end(), {"--json"});
    if (arguments[1] != kOwnPid) return RunStillframe(arguments, options_);
    // The shell becomes the command, so its pid is the command's.
    std::string line = "exec " + Binary("stillframe");
    for (const std::string& argument : arguments) line += " " + argument;
    Subprocess process({"sh", "-c", line}, options_);
    return OutcomeOf(process);
  }

  void ExpectRefused(const std::string& verb, const std::vector<std::string>& arguments) {
    SCOPED_TRACE(verb);
    const std::vector<std::string> before = InPlace();
    const CommandOutcome outcome = Run(verb, arguments);
    EXPECT_EQ(outcome.exit_code, GetParam().exit_code) << outcome.err << outcome.out;
    EXPECT_EQ(WrongInError(outcome.json), "") << outcome.out;
    EXPECT_EQ(outcome.json.value("/error/code"_json_pointer, ""), GetParam().code) << outcome.out;
    if (GetParam().has_hint) {
      EXPECT_NE(outcome.json.value("/error/hint"_json_pointer, ""), "") << outcome.out;
    }
    EXPECT_NE(outcome.err, "");
    EXPECT_EQ(InPlace(), before);
    if (Exists(InPlace("disk"))) {
      EXPECT_EQ(ListOf(InPlace("disk")), std::vector<std::string>());
    }
    EXPECT_EQ(target_.WhatIsWrong(), "");
  }

 private:
  static std::vector<std::string> ListOf(const std::string& directory) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  const TempDir place_;
  ScriptedTarget target_{4};
  std::optional<SmallDisk> disk_;
  SubprocessOptions options_;
  pid_t zombie_ = -1;
};

TEST_P(CoreRefusedTest, AsASaveIs) {
  const std::vector<std::string> arguments = GetParam().prepare(*this);
  if (HasFailure() || IsSkipped()) return;
  ExpectRefused("core", arguments);
  // `save` reads no images; `verify` does.
  if (arguments[0] != "--from") {
    ExpectRefused("save", arguments);
  } else if (GetParam().exit_code == kExitDamaged) {
    EXPECT_EQ(RunStillframe({"verify", arguments[1]}).exit_code, kExitDamaged);
  }
}

const RefusedCase kPids[] = {
    {"NoSuchPid", kExitTargetGone, "target-gone",
     [](CoreRefusedTest& test) -> std::vector<std::string> {
       Subprocess gone({"true"});
       EXPECT_EQ(gone.Wait(), 0);
       return {std::to_string(gone.pid()), "-o", test.InPlace("core")};
     },
     false},
    {"KernelThread", kExitUsage, "usage",
     [](CoreRefusedTest& test) -> std::vector<std::string> {
       // In a pid namespace of our own there may be none.
       if (StatusField(2, "Kthread") != "1" && StatusField(2, "Name") != "kthreadd") {
         [] { GTEST_SKIP() << "no kernel thread to be seen here"; }();
       }
       return {"2", "-o", test.InPlace("core")};
     },
     false},
    {"Zombie", kExitUsage, "usage",
     [](CoreRefusedTest& test) -> std::vector<std::string> {
       return {std::to_string(test.MakeZombie()), "-o", test.InPlace("core")};
     },
     false},
    {"OurOwnPid", kExitUsage, "usage",
     [](CoreRefusedTest& test) -> std::vector<std::string> {
       return {kOwnPid, "-o", test.InPlace("core")};
     }},
    {"NoRights", kExitPermission, "permission",
     [](CoreRefusedTest& test) -> std::vector<std::string> {
       test.GivePlaceTo(kNobody);
       test.RunAs(kNobody);
       return {test.Pid(), "-o", test.InPlace("core")};
     }},
};

const RefusedCase kOutputs[] = {
    {"MissingDirectory", kExitOutput, "output",
     [](CoreRefusedTest& test) -> std::vector<std::string> {
       return {test.Pid(), "-o", test.InPlace("no/such/core")};
     }},
    {"DirectoryItself", kExitUsage, "usage",
     [](CoreRefusedTest& test) -> std::vector<std::string> {
       return {test.Pid(), "-o", test.InPlace("")};
     }},
    {"ReadOnlyDisk", kExitOutput, "output",
     [](CoreRefusedTest& test) -> std::vector<std::string> {
       EXPECT_TRUE(test.MakeDisk().MakeReadOnly());
       return {test.Pid(), "-o", test.InPlace("disk/core")};
     }},
    {"FullDisk", kExitOutput, "output",
     [](CoreRefusedTest& test) -> std::vector<std::string> {
       test.MakeDisk();
       return {test.Pid(), "-o", test.InPlace("disk/core")};
     }},
    {"FullDiskLate", kExitOutput, "output",
     [](CoreRefusedTest& test) -> std::vector<std::string> {
       test.MakeDisk();
       return {test.Pid(), "-o", test.InPlace("disk/core"), "--instant", "late"};
     }},
    {"FullDiskFromAnImage", kExitOutput, "output",
     [](CoreRefusedTest& test) -> std::vector<std::string> {
       test.MakeDisk();
       return {"--from", test.MakeImage(), "-o", test.InPlace("disk/core")};
     }},
    {"MissingDirectoryFromAnImage", kExitOutput, "output",
     [](CoreRefusedTest& test) -> std::vector<std::string> {
       return {"--from", test.MakeImage(), "-o", test.InPlace("no/such/core")};
     }},
};

const RefusedCase kImages[] = {
    {"NoImage", kExitDamaged, "damaged",
     [](CoreRefusedTest& test) {
       return test.FromWrongImage([](std::string& content) {
         for (size_t i = 0; i < content.size(); ++i) content[i] = "This is no image. "[i % 18];
       });
     },
     false},
    {"CutOff", kExitDamaged, "damaged",
     [](CoreRefusedTest& test) {
       return test.FromWrongImage([](std::string& content) { content.resize(content.size() / 2); });
     }},
    {"CutOffAtTheLastByte", kExitDamaged, "damaged",
     [](CoreRefusedTest& test) {
       return test.FromWrongImage([](std::string& content) { content.pop_back(); });
     }},
    {"FlippedByte", kExitDamaged, "damaged",
     [](CoreRefusedTest& test) {
       return test.FromWrongImage([](std::string& content) {
         content[content.size() / 2] = static_cast<char>(~content[content.size() / 2]);
       });
     },
     false},
    {"LaterVersion", kExitDamaged, "damaged",
     [](CoreRefusedTest& test) {
       // The version is the first number behind the magic (docs/image-format.md).
       return test.FromWrongImage([](std::string& content) { ++content[8]; });
     }},
};

const auto kName = [](const auto& info) { return info.param.name; };
INSTANTIATE_TEST_SUITE_P(Pids, CoreRefusedTest, testing::ValuesIn(kPids), kName);
INSTANTIATE_TEST_SUITE_P(Outputs, CoreRefusedTest, testing::ValuesIn(kOutputs), kName);
INSTANTIATE_TEST_SUITE_P(Images, CoreRefusedTest, testing::ValuesIn(kImages), kName);

}  // namespace
}  // namespace stillframe::test
