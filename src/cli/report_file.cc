#include "cli/report_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "evaluate/bench/machine.h"
#include "report/html_report.h"
#include "report/html_save_report.h"

namespace stillframe {
namespace {

std::vector<HtmlFact> FactsOf(const std::vector<std::string>& command) {
  const evaluate::MachineFacts machine = evaluate::ReadMachineFacts();
  std::string line = "stillframe";
  for (const std::string& argument : command) line += " " + argument;
  return {{"Machine",
           std::to_string(machine.cpus) + " CPUs, " + machine.cpu + ", Linux " + machine.kernel},
          {"Date", machine.date},
          {"Command", line}};
}

// A fork or a stop has no policy, so the way is its name.
void NameByWay(Via via, HtmlReport* report) {
  if (via == Via::kWriteProtect) return;
  const std::string name(ViaName(via));
  for (HtmlMethod& method : report->methods) method.name = name;
  for (HtmlCurve& curve : report->curves) curve.name = name;
  for (HtmlPanel& panel : report->panels) panel.name = name;
}

}  // namespace

Result<std::unique_ptr<ReportFile>> ReportFile::Plan(const std::string& path) {
  if (path.empty()) return nullptr;
  struct stat status;
  if (stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
    return Fail(ErrorCode::kUsage, "writing the report " + path + ": it is a directory",
                "name a file in it");
  }
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (access(parent.empty() ? "." : parent.c_str(), W_OK | X_OK) != 0) {
    return FailErrno(errno, "writing the report " + path, "choose a directory you may write to",
                     ErrorCode::kOutput);
  }
  return std::unique_ptr<ReportFile>(new ReportFile(path));
}

std::unique_ptr<PageSink> ReportFile::Record(std::unique_ptr<PageSink> sink) const {
  return RecordPages(std::move(sink), pages_);
}

Result<void> ReportFile::Write(const SaveSummary& summary, const std::string& output,
                               SaveFormat format, const SaveTrace& trace,
                               const std::vector<std::string>& command) const {
  HtmlReport report =
      MakeHtmlSaveReport(summary, output, trace, pages_->ToMap(), FactsOf(command), format);
  NameByWay(summary.via, &report);
  return WriteHtml(report, path_);
}

}  // namespace stillframe
