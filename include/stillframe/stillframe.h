// Start here.
//
// Stillframe saves the memory of a running process as of one instant while the process goes on
// running, and bounds how long any of its writes may wait for that.
//
//   auto summary = stillframe::SaveProcess(pid, {.path = "image"});
//   auto image = stillframe::ImageReader::Open("image");
//
//   save.h            saving: options, summary, session
//   image.h           writing an image: compressed, or as the difference to another one
//   image_reader.h    reading an image back
//   image_diff.h      what differs between two images
//   core.h            ELF cores, for gdb: of a process or of an image
//   target.h          how memory is reached: another process by pid, or one's own
//   throttle.h        when the scan holds back: the policies, and how to bring one's own
//   save_forecast.h   what each way of saving would cost
//   save_trace.h      what a save saw while it ran, for reports and the simulator
//   page_sink.h       where pages go: an image, a core, or a sink of one's own
//   watch.h           saving one target again and again, each time what it wrote since
//   dedup.h           giving back what later images have in its place
//   task_pool.h       threads that encode and decode
//   mapping.h, process_state.h    what is known of a target beside its pages
//   error.h, units.h  Result, Error; bytes, pages, addresses
#ifndef STILLFRAME_STILLFRAME_H_
#define STILLFRAME_STILLFRAME_H_

#include "stillframe/core.h"
#include "stillframe/dedup.h"
#include "stillframe/error.h"
#include "stillframe/image.h"
#include "stillframe/image_diff.h"
#include "stillframe/image_reader.h"
#include "stillframe/mapping.h"
#include "stillframe/page_sink.h"
#include "stillframe/process_state.h"
#include "stillframe/save.h"
#include "stillframe/save_forecast.h"
#include "stillframe/save_trace.h"
#include "stillframe/target.h"
#include "stillframe/task_pool.h"
#include "stillframe/throttle.h"
#include "stillframe/units.h"
#include "stillframe/version.h"
#include "stillframe/watch.h"

#endif  // STILLFRAME_STILLFRAME_H_
