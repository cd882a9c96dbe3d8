#include "image/metadata_encoder.h"

#include <algorithm>
#include <limits>

#include "image/wire.h"

namespace stillframe {
namespace {

constexpr size_t kMaxLength = std::numeric_limits<uint32_t>::max();

template <class Container>
uint32_t Length(const Container& bytes) {
  return static_cast<uint32_t>(std::min(bytes.size(), kMaxLength));
}

template <WireStruct T>
void Append(ByteVector& to, const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  to.insert(to.end(), bytes.begin(), bytes.end());
}

template <class Container>
void AppendBytes(ByteVector& to, const Container& from) {
  const auto bytes = std::as_bytes(std::span(from)).first(Length(from));
  to.insert(to.end(), bytes.begin(), bytes.end());
}

template <class Container>
void AppendCount(ByteVector& to, const Container& records) {
  Append(to, WireCount{.count = Length(records), .reserved = 0});
}

uint32_t FlagsOf(const Mapping& mapping) {
  uint32_t flags = 0;
  if (mapping.readable) flags |= kMappingReadable;
  if (mapping.writable) flags |= kMappingWritable;
  if (mapping.executable) flags |= kMappingExecutable;
  if (mapping.shared) flags |= kMappingShared;
  if (mapping.has_details) flags |= kMappingHasDetails;
  if (mapping.dont_dump) flags |= kMappingDontDump;
  if (mapping.io) flags |= kMappingIo;
  if (mapping.hugetlb) flags |= kMappingHugetlb;
  if (mapping.tracked) flags |= kMappingTracked;
  if (mapping.mergeable) flags |= kMappingMergeable;
  return flags;
}

}  // namespace

ByteVector EncodeProcess(const ProcessState& process) {
  ByteVector section;
  Append(section, WireProcess{.pid = static_cast<uint32_t>(process.pid),
                              .reserved = 0,
                              .start_time = process.start_time,
                              .coredump_filter = process.coredump_filter,
                              .boot_id_length = Length(process.boot_id),
                              .executable_length = Length(process.executable),
                              .command_line_length = Length(process.command_line),
                              .stat_length = Length(process.stat),
                              .status_length = Length(process.status),
                              .reserved2 = 0});
  AppendBytes(section, process.boot_id);
  AppendBytes(section, process.executable);
  AppendBytes(section, process.command_line);
  AppendBytes(section, process.stat);
  AppendBytes(section, process.status);
  return section;
}

ByteVector EncodeThreads(std::span<const ThreadState> threads) {
  ByteVector section;
  AppendCount(section, threads);
  for (const ThreadState& thread : threads) {
    Append(section, WireThread{.tid = static_cast<uint32_t>(thread.tid),
                               .name_length = Length(thread.name),
                               .signal_mask = thread.signal_mask,
                               .pending_signals = thread.pending_signals,
                               .user_ticks = thread.user_ticks,
                               .system_ticks = thread.system_ticks,
                               .prstatus_length = Length(thread.prstatus),
                               .fpregset_length = Length(thread.fpregset),
                               .xstate_length = Length(thread.xstate),
                               .siginfo_length = Length(thread.siginfo)});
    AppendBytes(section, thread.name);
    AppendBytes(section, thread.prstatus);
    AppendBytes(section, thread.fpregset);
    AppendBytes(section, thread.xstate);
    AppendBytes(section, thread.siginfo);
  }
  return section;
}

ByteVector EncodeMappings(std::span<const SavedMapping> mappings) {
  ByteVector section;
  AppendCount(section, mappings);
  for (const auto& [mapping, saved] : mappings) {
    Append(section, WireMapping{.begin = mapping.range.begin.value,
                                .end = mapping.range.end.value,
                                .saved_begin = saved.begin.value,
                                .saved_end = saved.end.value,
                                .file_offset = mapping.file_offset,
                                .inode = mapping.inode,
                                .device_major = mapping.device_major,
                                .device_minor = mapping.device_minor,
                                .kernel_page_size = mapping.kernel_page_size.count,
                                .resident = mapping.resident.count,
                                .anonymous = mapping.anonymous.count,
                                .swapped = mapping.swapped.count,
                                .flags = FlagsOf(mapping),
                                .name_length = Length(mapping.name)});
    AppendBytes(section, mapping.name);
  }
  return section;
}

ByteVector EncodeSkipped(std::span<const RangeReason> skipped) {
  ByteVector section;
  AppendCount(section, skipped);
  for (const auto& [range, reason] : skipped) {
    Append(section, WireSkipped{.begin = range.begin.value,
                                .end = range.end.value,
                                .reason_length = Length(reason),
                                .reserved = 0});
    AppendBytes(section, reason);
  }
  return section;
}

ByteVector EncodeCapture(const ImageMetadata& metadata) {
  ByteVector section;
  Append(section, WireCapture{.instant_unix_ns = metadata.instant_unix_ns,
                              .pause_ns = metadata.pause_ns,
                              .filter = metadata.filter,
                              .kernel_length = Length(metadata.kernel),
                              .host_length = Length(metadata.host)});
  AppendBytes(section, metadata.kernel);
  AppendBytes(section, metadata.host);
  return section;
}

ByteVector EncodeReasons(std::span<const std::string> reasons) {
  ByteVector section;
  AppendCount(section, reasons);
  for (const std::string& reason : reasons) {
    Append(section, WireReason{.length = Length(reason)});
    AppendBytes(section, reason);
  }
  return section;
}

ByteVector EncodeParent(const WireImageName& name, const std::string& path) {
  ByteVector section;
  Append(section, WireParent{.name = name, .path_length = Length(path), .reserved = 0});
  AppendBytes(section, path);
  return section;
}

}  // namespace stillframe
