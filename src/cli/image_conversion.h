// What makes something else of an image that is there: a core, or an image that stands alone.
#ifndef STILLFRAME_CLI_IMAGE_CONVERSION_H_
#define STILLFRAME_CLI_IMAGE_CONVERSION_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "cli/save_arguments.h"
#include "report/save_format.h"
#include "stillframe/error.h"
#include "stillframe/image_reader.h"
#include "stillframe/page_sink.h"
#include "stillframe/units.h"

namespace stillframe {

// What a core may take to keep account of its pages: half of the memory that is available now.
Bytes MemoryForCore();

struct ImageConversion {
  SaveFormat format = SaveFormat::kCore;
  std::string from;  // as the user named it
  std::string file;  // the same; "-" is stdout
  Output output;
  ReadOptions reading = {};
  // Opens the output for what the image holds.
  std::function<Result<std::unique_ptr<PageSink>>(const ImageReader&)> open;
  bool json = false;
  bool quiet = false;
  bool verbose = false;

  bool to_stdout() const { return file == "-"; }
};

// Reads the image, writes the output and tells of it. SIGINT and SIGTERM give up. Returns the exit
// code; prints its own errors. On the main thread.
int RunConversion(const ImageConversion& plan);

// `stillframe core --from IMAGE`.
int ConvertToCore(const SaveArguments& arguments);

}  // namespace stillframe

#endif  // STILLFRAME_CLI_IMAGE_CONVERSION_H_
