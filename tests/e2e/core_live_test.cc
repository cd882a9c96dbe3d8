// Cores of programs that run at full speed: memory, registers and mappings are those of the
// instant, whatever the way.
#include <elf.h>
#include <sys/syscall.h>
#include <sys/user.h>

#include <cstring>
#include <map>
#include <sstream>

#include "blocked.h"
#include "core_check.h"
#include "scripted.h"
#include "support/process_view.h"
#include "support/redis_server.h"
#include "support/workload_process.h"
#include "targets/held_registers.h"

namespace stillframe::test {
namespace {

// "late" is a way of its own here.
std::vector<std::string> Via(const std::string& way) {
  if (way == "late") return {"--instant", "late"};
  return {"--via", way};
}

// Where the kernel said that a thread stood.
struct Position {
  long call = -1;  // -1: in none
  uint64_t arguments[6] = {};
  uint64_t stack = 0;
  uint64_t instruction = 0;
};

std::map<pid_t, Position> ParsePositions(const std::string& text) {
  std::map<pid_t, Position> positions;
  for (const std::string& line : Lines(text)) {
    std::istringstream words(line);
    pid_t tid = 0;
    Position position;
    words >> tid >> position.call >> std::hex;
    if (position.call >= 0) {
      for (uint64_t& argument : position.arguments) words >> argument;
    }
    words >> position.stack >> position.instruction;
    EXPECT_FALSE(words.fail()) << line;
    positions[tid] = position;
  }
  return positions;
}

void ExpectAtPosition(const CoreThread& thread, const Position& at) {
  const user_regs_struct& registers = thread.registers;
  EXPECT_EQ(registers.rsp, at.stack);
  EXPECT_EQ(registers.rip, at.instruction);
  if (at.call < 0) return;
  EXPECT_EQ(static_cast<long>(registers.orig_rax), at.call);
  const uint64_t arguments[6] = {registers.rdi, registers.rsi, registers.rdx,
                                 registers.r10, registers.r8,  registers.r9};
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(arguments[i], at.arguments[i]) << "argument " << i;
}

// That each thread of the instant is in the core, the leader first, where it stood.
void ExpectAllAtTheirPositions(const CoreFile& core, const std::string& text, pid_t leader) {
  const std::map<pid_t, Position> positions = ParsePositions(text);
  EXPECT_EQ(core.threads().size(), positions.size());
  EXPECT_EQ(core.threads()[0].tid(), leader);
  for (const CoreThread& thread : core.threads()) {
    SCOPED_TRACE("thread " + std::to_string(thread.tid()));
    const auto at = positions.find(thread.tid());
    if (at == positions.end()) {
      ADD_FAILURE() << "there was none";
    } else {
      ExpectAtPosition(thread, at->second);
    }
  }
}

// The loop of the target, and what it is known to hold.
struct HeldLoop {
  uint64_t count = 0;
  uint64_t store = 0;
  uint64_t jump = 0;
  bool avx = false;

  bool Contains(uint64_t rip) const { return rip == count || rip == store || rip == jump; }
};

void ExpectGeneralHeld(const user_regs_struct& registers, const HeldRegisters& held) {
  const uint64_t values[kHeldGeneral] = {registers.rbx, registers.rcx, registers.rdx, registers.rsi,
                                         registers.rdi, registers.rbp, registers.r8,  registers.r9,
                                         registers.r10, registers.r11, registers.r12, registers.r13,
                                         registers.r14, registers.r15};
  for (size_t i = 0; i < kHeldGeneral; ++i) EXPECT_EQ(values[i], held.general[i]) << i;
}

// `fxsave`: the first 512 bytes of an XSAVE area, or the legacy area by itself.
void ExpectLegacyHeld(const std::vector<std::byte>& fxsave, const HeldRegisters& held) {
  user_fpregs_struct legacy;
  ASSERT_GE(fxsave.size(), sizeof(legacy));
  std::memcpy(&legacy, fxsave.data(), sizeof(legacy));
  EXPECT_EQ(legacy.mxcsr, held.mxcsr);
  for (size_t i = 0; i < kHeldVectors; ++i) {
    EXPECT_EQ(std::memcmp(&legacy.xmm_space[i * 4], held.vectors[i], 16), 0) << "xmm" << i;
  }
}

void ExpectUpperHalvesHeld(const std::vector<std::byte>& xsave, const HeldRegisters& held) {
  constexpr size_t kStateBits = 512;    // XSTATE_BV
  constexpr size_t kUpperHalves = 576;  // of the uncompacted form, which ptrace always gives
  ASSERT_GE(xsave.size(), kUpperHalves + kHeldVectors * 16);
  uint64_t state = 0;
  std::memcpy(&state, &xsave[kStateBits], sizeof(state));
  EXPECT_NE(state & 4, 0u) << "no upper halves";
  for (size_t i = 0; i < kHeldVectors; ++i) {
    EXPECT_EQ(std::memcmp(&xsave[kUpperHalves + i * 16], &held.vectors[i][2], 16), 0) << "ymm" << i;
  }
}

// rax counts and is then stored: registers and memory are of one instant only if both agree.
void ExpectCountIsStored(const CoreFile& core, const user_regs_struct& registers,
                         const HeldLoop& loop) {
  uint64_t stored = 0;
  ASSERT_TRUE(core.Read({registers.rsp}, std::as_writable_bytes(std::span(&stored, 1))));
  EXPECT_EQ(stored, registers.rip == loop.store ? registers.rax - 1 : registers.rax);
}

// How many threads hold what they should, all others than those of the loop left out.
size_t ExpectHeld(const CoreFile& core, const HeldLoop& loop) {
  size_t seen = 0;
  for (const CoreThread& thread : core.threads()) {
    if (!loop.Contains(thread.registers.rip)) continue;
    SCOPED_TRACE("thread " + std::to_string(thread.registers.r15));
    ++seen;
    const HeldRegisters held = HeldBy(thread.registers.r15);
    ExpectGeneralHeld(thread.registers, held);
    ExpectCountIsStored(core, thread.registers, loop);
    const CoreNote* legacy = thread.Note("CORE", NT_FPREGSET);
    const CoreNote* extended = thread.Note("LINUX", NT_X86_XSTATE);
    EXPECT_TRUE(legacy != nullptr && extended != nullptr);
    if (legacy == nullptr || extended == nullptr) continue;
    ExpectLegacyHeld(legacy->data, held);
    ExpectLegacyHeld(extended->data, held);
    if (loop.avx) ExpectUpperHalvesHeld(extended->data, held);
  }
  return seen;
}

class CoreLiveTest : public CoreTest, public testing::WithParamInterface<std::string> {
 protected:
  CommandOutcome TakeCore(pid_t pid, std::vector<std::string> more = {}) {
    const std::vector<std::string> via = Via(GetParam());
    more.insert(more.end(), via.begin(), via.end());
    return RunCore(pid, core(), WithWitnesses(std::move(more)));
  }
};

TEST_P(CoreLiveTest, RegistersAndMemoryAreThoseOfTheInstant) {
  constexpr size_t kSpinners = 3;
  Subprocess target({TestTarget("registers_target"), std::to_string(kSpinners), "64"});
  ASSERT_TRUE(target.WaitForOut("\n")) << target.Err();
  std::istringstream ready(target.Out());
  std::string word;
  HeldLoop loop;
  ready >> word >> loop.count >> loop.store >> loop.jump >> loop.avx;
  ASSERT_FALSE(ready.fail()) << target.Out();
  EXPECT_TRUE(loop.avx) << "*** this machine has no AVX: upper halves are not looked at";
  const auto descriptors = DescriptorsOf(target.pid());

  const CommandOutcome outcome = TakeCore(target.pid());
  ASSERT_EQ(outcome.exit_code, kExitDone) << outcome.err << outcome.out;
  EXPECT_EQ(TracesLeftOn(target.pid(), descriptors), "");
  const auto file = ExpectCoreOfTheInstant(outcome);
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(ExpectHeld(*file, loop), kSpinners);
  ExpectAllAtTheirPositions(*file, positions(), target.pid());
}

using CoreOfAWorkloadTest = CoreLiveTest;

// It maps, moves, discards and unmaps: what could not be kept is cut out of the segments.
TEST_P(CoreOfAWorkloadTest, AtFullRate) {
  WorkloadProcess workload({"--memory", "64M", "--threads", "2"});
  const CommandOutcome outcome = TakeCore(workload.pid());
  ASSERT_TRUE(outcome.exit_code == kExitDone || outcome.exit_code == kExitLost) << outcome.err;
  ExpectCoreOfTheInstant(outcome);
  EXPECT_EQ(workload.WhatIsWrong(), "");
  EXPECT_EQ(workload.Finish(), 0);
}

// What was told of before the instant has to find a place that is not its last one: mappings grow
// into each other's room, move, come and go between the rounds.
TEST_P(CoreOfAWorkloadTest, MappingsThatGrowAndMoveAllTheTime) {
  STILLFRAME_REQUIRE(MissingProgram("python3"));
  Subprocess python({"python3", "-c",
                     "import mmap,random\n"
                     "P=4096\nanon=mmap.MAP_PRIVATE|mmap.MAP_ANONYMOUS\n"
                     "big=mmap.mmap(-1,48<<20,flags=anon)\n"
                     "for i in range(0,32<<20,P): big[i]=1\n"
                     "k=[mmap.mmap(-1,64*P,flags=anon) for _ in range(32)]\n"
                     "blocks=[]; t=0\n"
                     "print('ready',flush=True)\n"
                     "while True:\n"
                     "  t+=1\n"
                     "  j=random.randrange(32); k[j].resize(P*random.randrange(32,4096))\n"
                     "  if t%7==0: k[j].close(); k[j]=mmap.mmap(-1,64*P,flags=anon)\n"
                     "  for _ in range(20): k[j][random.randrange(32*P)]=t&255\n"
                     "  if len(k[j])>300*P: k[j][random.randrange(32*P,len(k[j]))]=t&255\n"
                     "  for _ in range(20): big[random.randrange(48<<20)]=t&255\n"
                     "  blocks.append(bytes(random.randrange(90000)))\n"
                     "  if len(blocks)>500: blocks=blocks[random.randrange(400):]\n"});
  ASSERT_TRUE(python.WaitForOut("ready")) << python.Err();
  const CommandOutcome outcome = TakeCore(python.pid());
  ASSERT_TRUE(outcome.exit_code == kExitDone || outcome.exit_code == kExitLost) << outcome.err;
  ExpectCoreOfTheInstant(outcome);
  EXPECT_TRUE(python.IsRunning()) << python.Err();
}

INSTANTIATE_TEST_SUITE_P(Ways, CoreLiveTest,
                         testing::Values("wp", "late", "precopy", "fork", "stop"),
                         [](const auto& info) { return info.param; });
INSTANTIATE_TEST_SUITE_P(Ways, CoreOfAWorkloadTest, testing::Values("wp", "late", "precopy"),
                         [](const auto& info) { return info.param; });

// One way each, the usual one.
using CoreOfAProgramTest = CoreTest;

TEST_F(CoreOfAProgramTest, SixtyFourThreads) {
  Subprocess target({TestTarget("threads_target")});
  ASSERT_TRUE(target.WaitForOut("\n")) << target.Err();
  const auto descriptors = DescriptorsOf(target.pid());
  const CommandOutcome outcome = RunCore(target.pid(), core(), WithWitnesses({"--via", "wp"}));
  ASSERT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  const auto file = ExpectCoreOfTheInstant(outcome);
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(file->threads().size(), 64u);
  ExpectAllAtTheirPositions(*file, positions(), target.pid());
  EXPECT_EQ(TracesLeftOn(target.pid(), descriptors), "");
}

TEST_F(CoreOfAProgramTest, BlockedInSystemCalls) {
  Subprocess target({TestTarget("blocked_target")});
  const std::map<pid_t, long> calls = AwaitBlocked(target);
  ASSERT_EQ(calls.size(), kBlockedThreads);
  const auto descriptors = DescriptorsOf(target.pid());
  const CommandOutcome outcome = RunCore(target.pid(), core(), WithWitnesses({"--via", "wp"}));
  ASSERT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  const auto file = ExpectCoreOfTheInstant(outcome);
  ASSERT_NE(file, nullptr);
  ExpectAllAtTheirPositions(*file, positions(), target.pid());
  for (const CoreThread& thread : file->threads()) {
    ASSERT_TRUE(calls.contains(thread.tid()));
    // Some calls the kernel begins anew by one of its own, when they were interrupted before.
    const auto call = static_cast<long>(thread.registers.orig_rax);
    EXPECT_TRUE(call == calls.at(thread.tid()) || call == SYS_restart_syscall) << call;
  }
  EXPECT_EQ(TracesLeftOn(target.pid(), descriptors), "");
}

// The summary names what others could have written meanwhile. It is in the core all the same.
TEST_F(CoreOfAProgramTest, MemorySharedWithAnotherProcess) {
  STILLFRAME_REQUIRE(MissingProgram("python3"));
  Subprocess python({"python3", "-c",
                     "import mmap,os\n"
                     "m=mmap.mmap(-1,4<<20)\n"
                     "for i in range(0,4<<20,4096): m[i]=7\n"
                     "r,w=os.pipe()\n"
                     "if os.fork()==0:\n"
                     "  os.close(w)\n"
                     "  os.read(r,1)\n"
                     "  os._exit(0)\n"
                     "print('ready',flush=True)\n"
                     "while True: m[0]=(m[0]+1)&255\n"});
  ASSERT_TRUE(python.WaitForOut("ready")) << python.Err();
  const CommandOutcome outcome = RunCore(python.pid(), core(), WithWitnesses({"--via", "wp"}));
  ASSERT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  size_t shared = 0;
  for (const auto& range : outcome.json["skipped"]) shared += range["reason"] == "shared" ? 1 : 0;
  EXPECT_GT(shared, 0u) << outcome.json["skipped"];
  ExpectCoreOfTheInstant(outcome);
  EXPECT_TRUE(python.IsRunning()) << python.Err();
}

TEST_F(CoreOfAProgramTest, Node) {
  STILLFRAME_REQUIRE(MissingProgram("node"));
  Subprocess node({"node", "-e",
                   "const held=[];"
                   "for(let i=0;i<200;i++) held.push(Buffer.alloc(65536,i%251));"
                   "let turn=0, made=[];"
                   "setInterval(()=>{for(let i=0;i<20;i++){held[turn++%200].fill(turn%251);"
                   "made.push({turn}); if(made.length>50000) made=[]}},1);"
                   "console.log('ready')"});
  ASSERT_TRUE(node.WaitForOut("ready")) << node.Err();
  const auto descriptors = DescriptorsOf(node.pid());
  const CommandOutcome outcome = RunCore(node.pid(), core(), WithWitnesses({"--via", "wp"}));
  ASSERT_TRUE(outcome.exit_code == kExitDone || outcome.exit_code == kExitLost) << outcome.err;
  const auto file = ExpectCoreOfTheInstant(outcome);
  ASSERT_NE(file, nullptr);
  EXPECT_GT(file->threads().size(), 5u);
  ExpectAllAtTheirPositions(*file, positions(), node.pid());
  EXPECT_TRUE(node.IsRunning()) << node.Err();
  EXPECT_EQ(TracesLeftOn(node.pid(), descriptors), "");
}

TEST_F(CoreOfAProgramTest, RedisUnderLoad) {
  STILLFRAME_REQUIRE(MissingProgram("redis-server"));
  const auto redis = RedisServer::Start();
  ASSERT_NE(redis, nullptr);
  redis->Fill(100'000, 500);
  const auto load = redis->StartLoad();
  const CommandOutcome outcome = RunCore(redis->pid(), core(), WithWitnesses());
  ASSERT_TRUE(outcome.exit_code == kExitDone || outcome.exit_code == kExitLost) << outcome.err;
  ExpectCoreOfTheInstant(outcome);
  EXPECT_EQ(redis->Ask({"ping"}), "PONG\n");
  EXPECT_TRUE(load->IsRunning()) << load->Out() << load->Err();
}

}  // namespace
}  // namespace stillframe::test
