// The notes of a core, byte by byte, and as libelf reads them.
#include "peer/core/core_notes.h"

#include <elf.h>
#include <gelf.h>
#include <gtest/gtest.h>
#include <libelf.h>
#include <sys/procfs.h>
#include <sys/user.h>

#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "peer/core/save_note.h"

namespace stillframe {
namespace {

constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();

struct Note {
  std::string name;
  uint32_t type = 0;
  ByteVector bytes;
  bool operator==(const Note&) const = default;
};

ByteVector BytesOf(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

ByteVector Filled(size_t size, uint8_t with) { return ByteVector(size, std::byte{with}); }

template <class Struct>
Struct As(std::span<const std::byte> bytes) {
  Struct value;
  EXPECT_GE(bytes.size(), sizeof(value));
  std::memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof(value)));
  return value;
}

ThreadState MakeThread(pid_t tid, std::string name, uint8_t seed) {
  ThreadState thread;
  thread.tid = tid;
  thread.name = std::move(name);
  thread.signal_mask = 0x8000000000000010u + seed;
  thread.pending_signals = 0x4000u + seed;
  thread.user_ticks = 250u + seed;
  thread.system_ticks = 99;
  thread.prstatus = Filled(sizeof(user_regs_struct), seed);
  thread.fpregset = Filled(512, static_cast<uint8_t>(seed + 1));
  thread.xstate = Filled(2440, static_cast<uint8_t>(seed + 2));
  return thread;
}

Mapping MakeMapping(uint64_t begin, uint64_t end, std::string name, uint64_t inode,
                    uint64_t offset = 0) {
  Mapping mapping;
  mapping.range = {{begin}, {end}};
  mapping.name = std::move(name);
  mapping.inode = inode;
  mapping.file_offset = offset;
  return mapping;
}

ImageMetadata MakeMetadata() {
  ImageMetadata metadata;
  ProcessState& process = metadata.process;
  process.pid = 100;
  process.executable = "/usr/bin/program";
  process.command_line = BytesOf(std::string_view("program\0-v\0", 11));
  process.stat =
      "100 (a) b) D 7 90 80 34816 100 4194560 1 2 3 4 1234 56 7 8 20 -5 2 0 12345 100 200";
  process.status =
      "Name:\tx\nState:\tS (sleeping)\nTgid:\t100\nPPid:\t7\nTracerPid:\t0\nUid:\t1000\t0\t0\t0\n"
      "Gid:\t1001\t0\t0\t0\n";
  process.auxv = Filled(32, 0x55);
  process.threads = {MakeThread(100, "main", 1), MakeThread(101, "worker", 11)};
  const auto add = [&metadata](const Mapping& mapping, uint64_t saved_end) {
    metadata.mappings.push_back({mapping, {mapping.range.begin, {saved_end}}});
  };
  add(MakeMapping(0x1000, 0x3000, "/usr/bin/program", 5, 0x2000), 0x2000);
  add(MakeMapping(0x4000, 0x6000, "[heap]", 0), 0x6000);
  add(MakeMapping(0x7000, 0x8000, "/lib/gone (deleted)", 6), 0x7000);
  metadata.instant_unix_ns = 1'700'000'000'000'000'001;
  metadata.pause_ns = 250'000;
  return metadata;
}

// By hand, so that it is not the code under test that says where a note ends.
std::vector<Note> Split(std::span<const std::byte> bytes) {
  std::vector<Note> notes;
  while (!bytes.empty()) {
    const auto header = As<Elf64_Nhdr>(bytes);
    const size_t name_at = sizeof(header);
    const size_t data_at = name_at + (header.n_namesz + 3) / 4 * 4;
    const size_t end = data_at + (header.n_descsz + 3) / 4 * 4;
    if (end > bytes.size() || header.n_namesz == 0) {
      ADD_FAILURE() << "note " << notes.size() << " reaches beyond the end";
      break;
    }
    const auto* name = reinterpret_cast<const char*>(bytes.data() + name_at);
    const auto data = bytes.subspan(data_at, header.n_descsz);
    notes.push_back(
        {std::string(name, header.n_namesz - 1), header.n_type, {data.begin(), data.end()}});
    EXPECT_EQ(name[header.n_namesz - 1], '\0');
    for (size_t at = name_at + header.n_namesz; at < data_at; ++at)
      EXPECT_EQ(bytes[at], std::byte{0});
    for (size_t at = data_at + header.n_descsz; at < end; ++at) EXPECT_EQ(bytes[at], std::byte{0});
    bytes = bytes.subspan(end);
  }
  return notes;
}

std::vector<Note> NotesOf(const ImageMetadata& metadata, std::vector<RangeReason> lost = {}) {
  const auto bytes = EncodeCoreNotes(metadata, lost);
  EXPECT_TRUE(bytes) << bytes.error().message;
  return bytes ? Split(*bytes) : std::vector<Note>();
}

// The `nth` of that type, from 0.
ByteVector Find(const std::vector<Note>& notes, uint32_t type, size_t nth = 0) {
  for (const Note& note : notes) {
    if (note.type == type && nth-- == 0) return note.bytes;
  }
  ADD_FAILURE() << "no note of type " << type;
  return {};
}

// A core that consists of its notes.
ByteVector CoreWith(std::span<const std::byte> notes) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_CORE;
  header.e_machine = EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_phoff = sizeof(header);
  header.e_ehsize = sizeof(header);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 1;
  Elf64_Phdr segment{};
  segment.p_type = PT_NOTE;
  segment.p_offset = sizeof(header) + sizeof(segment);
  segment.p_filesz = notes.size();
  segment.p_align = 4;
  ByteVector core(segment.p_offset);
  std::memcpy(core.data(), &header, sizeof(header));
  std::memcpy(core.data() + sizeof(header), &segment, sizeof(segment));
  core.insert(core.end(), notes.begin(), notes.end());
  return core;
}

std::vector<Note> NotesByLibelf(std::span<const std::byte> notes) {
  ByteVector core = CoreWith(notes);
  elf_version(EV_CURRENT);
  Elf* elf = elf_memory(reinterpret_cast<char*>(core.data()), core.size());
  GElf_Phdr segment;
  EXPECT_NE(gelf_getphdr(elf, 0, &segment), nullptr) << elf_errmsg(-1);
  Elf_Data* data = elf_getdata_rawchunk(elf, static_cast<int64_t>(segment.p_offset),
                                        segment.p_filesz, ELF_T_NHDR);
  EXPECT_NE(data, nullptr) << elf_errmsg(-1);
  std::vector<Note> found;
  size_t at = 0;
  while (data != nullptr && at < data->d_size) {
    GElf_Nhdr header;
    size_t name_at = 0;
    size_t data_at = 0;
    at = gelf_getnote(data, at, &header, &name_at, &data_at);
    if (at == 0) {
      ADD_FAILURE() << "libelf can't read note " << found.size();
      break;
    }
    const auto* bytes = static_cast<const std::byte*>(data->d_buf);
    found.push_back({reinterpret_cast<const char*>(bytes + name_at),
                     header.n_type,
                     {bytes + data_at, bytes + data_at + header.n_descsz}});
  }
  elf_end(elf);
  return found;
}

TEST(CoreNotes, TheyComeInTheOrderOfTheKernelAndOursLast) {
  const std::vector<std::pair<std::string, uint32_t>> expected = {
      {"CORE", NT_PRSTATUS},    {"CORE", NT_PRPSINFO},    {"CORE", NT_SIGINFO},
      {"CORE", NT_AUXV},        {"CORE", NT_FILE},        {"CORE", NT_FPREGSET},
      {"LINUX", NT_X86_XSTATE}, {"CORE", NT_PRSTATUS},    {"CORE", NT_SIGINFO},
      {"CORE", NT_FPREGSET},    {"LINUX", NT_X86_XSTATE}, {"Stillframe", kSaveNoteType}};
  std::vector<std::pair<std::string, uint32_t>> found;
  for (const Note& note : NotesOf(MakeMetadata())) found.emplace_back(note.name, note.type);
  EXPECT_EQ(found, expected);
}

TEST(CoreNotes, TheFirstBytesAreThoseOfTheKernel) {
  const auto bytes = EncodeCoreNotes(MakeMetadata(), {});
  ASSERT_TRUE(bytes);
  const std::string_view expected(
      "\5\0\0\0"
      "\x50\1\0\0"
      "\1\0\0\0"
      "CORE\0\0\0\0",
      20);
  EXPECT_EQ(ByteVector(bytes->begin(), bytes->begin() + 20), BytesOf(expected));
  EXPECT_EQ(bytes->size() % 4, 0u);
}

TEST(CoreNotes, LibelfReadsTheSame) {
  ImageMetadata metadata = MakeMetadata();
  metadata.process.auxv.resize(21);  // none that is a multiple of 4
  const std::vector<RangeReason> lost = {{{{0x4000}, {0x5000}}, "unmapped"}};
  const auto bytes = EncodeCoreNotes(metadata, lost);
  ASSERT_TRUE(bytes);
  EXPECT_EQ(NotesByLibelf(*bytes), Split(*bytes));
}

TEST(CoreNotes, AThreadHasItsRegistersSignalsIdsAndTimes) {
  elf_prstatus expected;
  std::memset(&expected, 0, sizeof(expected));
  expected.pr_sigpend = 0x4001;
  expected.pr_sighold = 0x8000000000000011u;
  expected.pr_pid = 100;
  expected.pr_ppid = 7;
  expected.pr_pgrp = 90;
  expected.pr_sid = 80;
  expected.pr_utime = {.tv_sec = 12, .tv_usec = 340'000};  // the leader's: of all threads
  expected.pr_stime = {.tv_sec = 0, .tv_usec = 560'000};
  expected.pr_cutime = {.tv_sec = 0, .tv_usec = 70'000};
  expected.pr_cstime = {.tv_sec = 0, .tv_usec = 80'000};
  std::memset(&expected.pr_reg, 1, sizeof(expected.pr_reg));
  expected.pr_fpvalid = 1;
  const std::vector<Note> notes = NotesOf(MakeMetadata());
  const auto of_leader = As<elf_prstatus>(Find(notes, NT_PRSTATUS));
  EXPECT_EQ(std::memcmp(&of_leader, &expected, sizeof(expected)), 0);

  expected.pr_sigpend = 0x400b;
  expected.pr_sighold = 0x800000000000001bu;
  expected.pr_pid = 101;
  expected.pr_utime = {.tv_sec = 2, .tv_usec = 610'000};
  expected.pr_stime = {.tv_sec = 0, .tv_usec = 990'000};
  std::memset(&expected.pr_reg, 11, sizeof(expected.pr_reg));
  const auto of_worker = As<elf_prstatus>(Find(notes, NT_PRSTATUS, 1));
  EXPECT_EQ(std::memcmp(&of_worker, &expected, sizeof(expected)), 0);
}

TEST(CoreNotes, TheProcessHasItsNameArgumentsStateAndOwner) {
  elf_prpsinfo expected;
  std::memset(&expected, 0, sizeof(expected));
  expected.pr_state = 2;
  expected.pr_sname = 'D';
  expected.pr_nice = -5;
  expected.pr_flag = 4194560;
  expected.pr_uid = 1000;
  expected.pr_gid = 1001;
  expected.pr_pid = 100;
  expected.pr_ppid = 7;
  expected.pr_pgrp = 90;
  expected.pr_sid = 80;
  std::strcpy(expected.pr_fname, "main");
  std::strcpy(expected.pr_psargs, "program -v ");
  const auto info = As<elf_prpsinfo>(Find(NotesOf(MakeMetadata()), NT_PRPSINFO));
  EXPECT_EQ(std::memcmp(&info, &expected, sizeof(expected)), 0);
}

TEST(CoreNotes, LongNamesAndArgumentsAreCutWithANulBehindThem) {
  ImageMetadata metadata = MakeMetadata();
  metadata.process.threads[0].name = std::string(40, 'n');
  metadata.process.command_line = Filled(200, 'a');
  const auto info = As<elf_prpsinfo>(Find(NotesOf(metadata), NT_PRPSINFO));
  EXPECT_EQ(std::string(info.pr_fname, 16), std::string(15, 'n') + '\0');
  EXPECT_EQ(std::string(info.pr_psargs, 80), std::string(79, 'a') + '\0');
}

TEST(CoreNotes, StatesHaveTheNumbersOfTheKernel) {
  const auto told = [](char state) {
    ImageMetadata metadata = MakeMetadata();
    metadata.process.stat[metadata.process.stat.rfind(')') + 2] = state;
    const auto info = As<elf_prpsinfo>(Find(NotesOf(metadata), NT_PRPSINFO));
    return std::to_string(info.pr_state) + info.pr_sname + std::to_string(info.pr_zomb);
  };
  EXPECT_EQ(told('R'), "0R0");
  EXPECT_EQ(told('S'), "1S0");
  EXPECT_EQ(told('D'), "2D0");
  EXPECT_EQ(told('T'), "3T0");
  EXPECT_EQ(told('t'), "3T0");
  EXPECT_EQ(told('Z'), "4Z1");
  EXPECT_EQ(told('I'), "6.0");
}

TEST(CoreNotes, EachThreadHasASiginfoZeroWhereNothingStoppedIt) {
  ImageMetadata metadata = MakeMetadata();
  metadata.process.threads[1].siginfo = Filled(128, 9);
  const std::vector<Note> notes = NotesOf(metadata);
  EXPECT_EQ(Find(notes, NT_SIGINFO), Filled(128, 0));
  EXPECT_EQ(Find(notes, NT_SIGINFO, 1), Filled(128, 9));
}

TEST(CoreNotes, AuxvAndRegisterSetsAreAsTheyWere) {
  const ImageMetadata metadata = MakeMetadata();
  const std::vector<Note> notes = NotesOf(metadata);
  EXPECT_EQ(Find(notes, NT_AUXV), metadata.process.auxv);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(Find(notes, NT_FPREGSET, i), metadata.process.threads[i].fpregset);
    EXPECT_EQ(Find(notes, NT_X86_XSTATE, i), metadata.process.threads[i].xstate);
  }
}

// One's own process is saved without registers, and a CPU may have no XSAVE.
TEST(CoreNotes, WhatWasNotSavedHasNoNoteAndZeroRegisters) {
  ImageMetadata metadata = MakeMetadata();
  for (ThreadState& thread : metadata.process.threads) {
    thread.prstatus.clear();
    thread.fpregset.clear();
    thread.xstate.clear();
  }
  metadata.process.auxv.clear();
  metadata.mappings.clear();
  const std::vector<Note> notes = NotesOf(metadata);
  EXPECT_EQ(notes.size(), 6u);  // two for each thread, PRPSINFO, ours
  const auto status = As<elf_prstatus>(Find(notes, NT_PRSTATUS, 1));
  EXPECT_EQ(status.pr_pid, 101);
  EXPECT_EQ(status.pr_reg[0], 0u);
  EXPECT_EQ(status.pr_fpvalid, 0);
}

TEST(CoreNotes, AProcessWithoutThreadsHasOneOfNoRegisters) {
  const std::vector<Note> notes = NotesOf(ImageMetadata());
  ASSERT_EQ(notes.size(), 4u);
  EXPECT_EQ(notes[0].type, uint32_t{NT_PRSTATUS});
  EXPECT_EQ(notes[1].type, uint32_t{NT_PRPSINFO});
}

TEST(CoreNotes, TenThousandThreadsAreAllThereInTheirOrder) {
  ImageMetadata metadata = MakeMetadata();
  metadata.process.threads.clear();
  for (pid_t tid = 100; tid < 10'100; ++tid) {
    metadata.process.threads.push_back(MakeThread(tid, "t", static_cast<uint8_t>(tid)));
  }
  const auto bytes = EncodeCoreNotes(metadata, {});
  ASSERT_TRUE(bytes);
  pid_t next = 100;
  for (const Note& note : NotesByLibelf(*bytes)) {
    if (note.type != NT_PRSTATUS || note.name != "CORE") continue;
    const auto status = As<elf_prstatus>(note.bytes);
    ASSERT_EQ(status.pr_pid, next);
    ASSERT_EQ(status.pr_reg[0] & 0xff, static_cast<uint8_t>(next));
    ++next;
  }
  EXPECT_EQ(next, 10'100);
}

// What an image says may be anything.
TEST(CoreNotes, RegisterSetsOfAWrongSizeAreRefusedByName) {
  const auto error_with = [](auto change) -> std::string {
    ImageMetadata metadata = MakeMetadata();
    change(metadata.process.threads[1]);
    const auto bytes = EncodeCoreNotes(metadata, {});
    if (bytes) return "";
    EXPECT_EQ(bytes.error().code, ErrorCode::kDamaged);
    EXPECT_NE(bytes.error().message.find("thread 101"), std::string::npos);
    return bytes.error().message;
  };
  EXPECT_NE(error_with([](ThreadState& t) { t.prstatus.resize(68); }).find("68 bytes"),
            std::string::npos);
  EXPECT_NE(error_with([](ThreadState& t) { t.prstatus.resize(217); }), "");
  EXPECT_NE(error_with([](ThreadState& t) { t.fpregset.resize(108); }), "");
  EXPECT_NE(error_with([](ThreadState& t) { t.xstate.resize(575); }), "");
  EXPECT_NE(error_with([](ThreadState& t) { t.siginfo.resize(129); }), "");
  EXPECT_EQ(error_with([](ThreadState& t) { t.xstate.resize(576); }), "");
}

TEST(CoreNotes, TextsThatAreNoneLeaveZeros) {
  ImageMetadata metadata = MakeMetadata();
  metadata.process.stat = std::string("100 (\0) R -x )", 14);
  metadata.process.status = std::string(3, '\0');
  metadata.process.pid = -7;
  metadata.process.threads[0].tid = -7;
  metadata.process.threads[0].user_ticks = kMax;
  const std::vector<Note> notes = NotesOf(metadata);
  const auto status = As<elf_prstatus>(Find(notes, NT_PRSTATUS));
  EXPECT_EQ(status.pr_pid, -7);
  EXPECT_EQ(status.pr_ppid, 0);
  const auto info = As<elf_prpsinfo>(Find(notes, NT_PRPSINFO));
  EXPECT_EQ(info.pr_sname, '.');
  EXPECT_EQ(info.pr_uid, 0u);
}

}  // namespace
}  // namespace stillframe
