// Small helpers for whole files.
#ifndef STILLFRAME_TESTS_SUPPORT_FILES_H_
#define STILLFRAME_TESTS_SUPPORT_FILES_H_

#include <functional>
#include <string>
#include <vector>

namespace stillframe::test {

// All of it, /proc files too; empty when it can't be read.
std::string ReadFile(const std::string& path);
void WriteFile(const std::string& path, const std::string& content);
bool Exists(const std::string& path);
std::vector<std::string> Lines(const std::string& text);

// Calls `done` every few milliseconds until it says true; false when `seconds` have gone by before.
bool Eventually(const std::function<bool()>& done, double seconds = 20);

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_SUPPORT_FILES_H_
