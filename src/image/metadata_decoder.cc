#include "image/metadata_decoder.h"

#include "image/byte_reader.h"
#include "image/wire.h"

namespace stillframe {
namespace {

constexpr uint32_t kMaxParentPath = 4096;

AddressRange Range(uint64_t begin, uint64_t end) { return {{begin}, {end}}; }

// Reads a count and that many records. The list grows as records are found to be there, never by
// what the count says.
template <class Record, class ReadRecord>
bool DecodeList(std::span<const std::byte> section, std::vector<Record>& to,
                ReadRecord read_record) {
  ByteReader reader(section);
  const auto header = reader.Read<WireCount>();
  reader.Require(header.reserved == 0);
  for (uint32_t i = 0; i < header.count && reader.ok(); ++i) to.push_back(read_record(reader));
  return reader.complete();
}

ThreadState ReadThread(ByteReader& reader) {
  const auto wire = reader.Read<WireThread>();
  ThreadState thread;
  thread.tid = static_cast<pid_t>(wire.tid);
  thread.signal_mask = wire.signal_mask;
  thread.pending_signals = wire.pending_signals;
  thread.user_ticks = wire.user_ticks;
  thread.system_ticks = wire.system_ticks;
  thread.name = reader.ReadString(wire.name_length);
  thread.prstatus = reader.ReadBytes(wire.prstatus_length);
  thread.fpregset = reader.ReadBytes(wire.fpregset_length);
  thread.xstate = reader.ReadBytes(wire.xstate_length);
  thread.siginfo = reader.ReadBytes(wire.siginfo_length);
  return thread;
}

SavedMapping ReadMapping(ByteReader& reader) {
  const auto wire = reader.Read<WireMapping>();
  reader.Require((wire.flags & ~kMappingFlags) == 0);
  const auto has = [&wire](MappingFlag flag) { return (wire.flags & flag) != 0; };
  return {.mapping = {.range = Range(wire.begin, wire.end),
                      .readable = has(kMappingReadable),
                      .writable = has(kMappingWritable),
                      .executable = has(kMappingExecutable),
                      .shared = has(kMappingShared),
                      .file_offset = wire.file_offset,
                      .device_major = wire.device_major,
                      .device_minor = wire.device_minor,
                      .inode = wire.inode,
                      .name = reader.ReadString(wire.name_length),
                      .has_details = has(kMappingHasDetails),
                      .kernel_page_size = {wire.kernel_page_size},
                      .resident = {wire.resident},
                      .anonymous = {wire.anonymous},
                      .swapped = {wire.swapped},
                      .dont_dump = has(kMappingDontDump),
                      .io = has(kMappingIo),
                      .hugetlb = has(kMappingHugetlb),
                      .mergeable = has(kMappingMergeable),
                      .tracked = has(kMappingTracked)},
          .saved = Range(wire.saved_begin, wire.saved_end)};
}

RangeReason ReadSkipped(ByteReader& reader) {
  const auto wire = reader.Read<WireSkipped>();
  reader.Require(wire.reserved == 0 && wire.begin <= wire.end);
  return {.range = Range(wire.begin, wire.end), .reason = reader.ReadString(wire.reason_length)};
}

}  // namespace

bool DecodeProcess(std::span<const std::byte> section, ProcessState& to) {
  ByteReader reader(section);
  const auto wire = reader.Read<WireProcess>();
  reader.Require(wire.reserved == 0 && wire.reserved2 == 0);
  to.pid = static_cast<pid_t>(wire.pid);
  to.start_time = wire.start_time;
  to.coredump_filter = wire.coredump_filter;
  to.boot_id = reader.ReadString(wire.boot_id_length);
  to.executable = reader.ReadString(wire.executable_length);
  to.command_line = reader.ReadBytes(wire.command_line_length);
  to.stat = reader.ReadString(wire.stat_length);
  to.status = reader.ReadString(wire.status_length);
  return reader.complete();
}

bool DecodeThreads(std::span<const std::byte> section, std::vector<ThreadState>& to) {
  return DecodeList(section, to, ReadThread);
}

bool DecodeMappings(std::span<const std::byte> section, std::vector<SavedMapping>& to) {
  return DecodeList(section, to, ReadMapping);
}

bool DecodeSkipped(std::span<const std::byte> section, std::vector<RangeReason>& to) {
  return DecodeList(section, to, ReadSkipped);
}

bool DecodeCapture(std::span<const std::byte> section, ImageMetadata& to) {
  ByteReader reader(section);
  const auto wire = reader.Read<WireCapture>();
  to.instant_unix_ns = wire.instant_unix_ns;
  to.pause_ns = wire.pause_ns;
  to.filter = wire.filter;
  to.kernel = reader.ReadString(wire.kernel_length);
  to.host = reader.ReadString(wire.host_length);
  return reader.complete();
}

bool DecodeReasons(std::span<const std::byte> section, std::vector<std::string>& to) {
  return DecodeList(section, to, [](ByteReader& reader) {
    return reader.ReadString(reader.Read<WireReason>().length);
  });
}

bool DecodeParent(std::span<const std::byte> section, ParentReference& to) {
  ByteReader reader(section);
  const auto wire = reader.Read<WireParent>();
  reader.Require(wire.reserved == 0 && wire.path_length >= 1 && wire.path_length <= kMaxParentPath);
  to.name = wire.name;
  to.path = reader.ReadString(wire.path_length);
  reader.Require(to.path.find('\0') == std::string::npos);
  return reader.complete();
}

bool DecodeStandsFor(std::span<const std::byte> section, std::vector<WireImageName>& to) {
  ByteReader reader(section);
  const size_t count = section.size() / sizeof(WireImageName);
  reader.Require(count <= kMaxStandsFor);
  for (size_t i = 0; i < count && reader.ok(); ++i) to.push_back(reader.Read<WireImageName>());
  return reader.complete();
}

}  // namespace stillframe
