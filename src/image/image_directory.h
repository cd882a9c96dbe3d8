// The images in a directory.
#ifndef STILLFRAME_IMAGE_IMAGE_DIRECTORY_H_
#define STILLFRAME_IMAGE_IMAGE_DIRECTORY_H_

#include <string>
#include <vector>

#include "stillframe/error.h"

namespace stillframe {

// The paths of all regular files in it that begin as an image does, by name. Symbolic links are
// passed over: what they point at may be in the directory as well; and so is what a killed writer
// left. Errors: as for open(2), of a file in it as well; kUsage for what is no directory.
Result<std::vector<std::string>> ListImages(const std::string& directory);

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_IMAGE_DIRECTORY_H_
