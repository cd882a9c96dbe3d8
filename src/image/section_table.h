// What stands where behind the pages of an image.
#ifndef STILLFRAME_IMAGE_SECTION_TABLE_H_
#define STILLFRAME_IMAGE_SECTION_TABLE_H_

#include <cstdint>
#include <vector>

#include "image/image_file.h"
#include "image/wire.h"
#include "stillframe/error.h"
#include "stillframe/process_state.h"

namespace stillframe {

// Thread rule: const members from any thread.
class SectionTable {
 public:
  // Reads the table that `trailer` names, and every section's checksum. Unknown sections are passed
  // over if they are optional. `version`: of the format. Errors: kDamaged (also for an unknown
  // section that is required).
  static Result<SectionTable> Load(const ImageFile& file, const WireTrailer& trailer,
                                   uint32_t version);

  // Where the blocks end and the sections begin.
  uint64_t data_end() const { return data_end_; }
  // Of a type that the image has.
  const WireSection& Find(SectionType type) const;
  // Null where the image has none.
  const WireSection* FindOptional(SectionType type) const;
  // The section's bytes. Errors: kDamaged, as it is for a section that is larger than any can be.
  Result<ByteVector> Read(const ImageFile& file, SectionType type) const;

 private:
  // Every byte between the blocks and the table belongs to one section.
  Result<void> CheckLayout(const ImageFile& file, uint64_t table_offset);
  Result<void> CheckTypes(const ImageFile& file, uint32_t version) const;

  std::vector<WireSection> sections_;
  uint64_t data_end_ = 0;
};

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_SECTION_TABLE_H_
