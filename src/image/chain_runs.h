// Where in a chain of images each page stands: the chain made flat, so that a page is found by one
// search, however long the chain is.
#ifndef STILLFRAME_IMAGE_CHAIN_RUNS_H_
#define STILLFRAME_IMAGE_CHAIN_RUNS_H_

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "image/stored_image.h"
#include "stillframe/error.h"
#include "stillframe/units.h"

namespace stillframe {

// A run of pages that one entry of one image's index tells of, or the part of it that holds.
struct ChainRun {
  uint64_t begin = 0;  // addresses
  uint64_t end = 0;
  uint32_t entry = 0;  // its place in its image's index; never one of pages in a parent
  uint16_t depth = 0;  // of that image in the chain: 0 is the one that was opened
  // Data of which nothing was freed: to read it there is nothing to ask the index first.
  bool plain_data = false;

  AddressRange range() const { return {{begin}, {end}}; }
};

// Of a chain that begins with images.front(), each with its parent behind it. By address. Errors:
// kDamaged for a page that an image has in its parent and the parent does not have as data. It may
// be freed there: see FreedBlocks.
Result<std::vector<ChainRun>> FlattenChain(std::span<const std::unique_ptr<StoredImage>> images);

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_CHAIN_RUNS_H_
