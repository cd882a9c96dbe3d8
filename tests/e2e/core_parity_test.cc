// What gdb and others say of our core is what they say of one by gcore.
#include "core_parity.h"

#include <sys/syscall.h>

#include <filesystem>
#include <map>
#include <sstream>

#include "blocked.h"
#include "support/redis_server.h"

namespace stillframe::test {
namespace {

// The words after "ready" in what a target has printed.
std::vector<std::string> ReadyWords(const Subprocess& target) {
  std::istringstream text(target.Out());
  std::vector<std::string> words;
  for (std::string word; text >> word;) words.push_back(word);
  words.resize(std::max<size_t>(words.size(), 8));
  return {words.begin() + 1, words.end()};
}

TEST_F(CoreParityTest, SixtyFourThreadsWithDeepStacks) {
  Subprocess target({TestTarget("threads_target")});
  ASSERT_TRUE(target.WaitForOut("\n")) << target.Err();
  const std::string text = ReadyWords(target)[0];
  ASSERT_NO_FATAL_FAILURE(TakeBoth(target, {"--via", "wp"}));
  const std::vector<std::string> answers = ExpectSameAnswers(
      {"print global_state", "print *global_state.list->next->next", "x/s " + text,
       "print zeros[32768]", "x/8xb &zeros[100]", "thread apply all print thread_number",
       "thread 5", "frame function go_deep", "info locals", "up 10", "info locals", "print *list",
       "info symbol main", "disassemble main"});
  const size_t common = CommonCommands().size();
  // Not the same nothing: 20 frames and more of each thread, with names and values.
  EXPECT_GT(CountOf(answers[0], " in go_deep (left="), 64u * 20);
  EXPECT_EQ(CountOf(answers[3], "(LWP "), 64u) << answers[3];
  EXPECT_NE(answers[common].find("magic = 1597463007"), std::string::npos) << answers[common];
  EXPECT_NE(answers[common + 1].find("node 3"), std::string::npos) << answers[common + 1];
  EXPECT_NE(answers[common + 2].find("a string on the heap"), std::string::npos);
  EXPECT_NE(answers[common + 3].find("'z'"), std::string::npos) << answers[common + 3];
  EXPECT_NE(answers[common + 5].find("= 162\n"), std::string::npos) << answers[common + 5];
  EXPECT_GT(CountOf(ExpectStacks(), "go_deep"), 64u * 20);
}

TEST_F(CoreParityTest, BlockedInSystemCalls) {
  Subprocess target({TestTarget("blocked_target")});
  const std::map<pid_t, long> calls = AwaitBlocked(target);
  ASSERT_EQ(calls.size(), kBlockedThreads);
  ASSERT_NO_FATAL_FAILURE(TakeBoth(target, {"--via", "stop"}));
  const std::vector<std::string> answers =
      ExpectSameAnswers({"print word", "thread apply all print $orig_rax", "print held->text",
                         "print held->numbers", "x/256xg held"});
  EXPECT_NE(answers[0].find("in_epoll"), std::string::npos) << answers[0];
  const size_t common = CommonCommands().size();
  EXPECT_NE(answers[common].find("= 1\n"), std::string::npos) << answers[common];
  EXPECT_NE(answers[common + 2].find("a string of a blocked program"), std::string::npos)
      << answers[common + 2];
  EXPECT_NE(answers[common + 3].find(", 63000189}"), std::string::npos) << answers[common + 3];
  ASSERT_EQ(ours().threads().size(), kBlockedThreads);
  for (const CoreThread& thread : ours().threads()) {
    const auto call = static_cast<long>(thread.registers.orig_rax);
    ASSERT_TRUE(calls.contains(thread.tid()));
    EXPECT_EQ(call, calls.at(thread.tid())) << thread.tid();
  }
  ExpectStacks();
}

// With a filter of its own, which takes file mappings along, and memory that is to be in no
// core.
TEST_F(CoreParityTest, Python) {
  STILLFRAME_REQUIRE(MissingProgram("python3"));
  Subprocess target(
      {"python3", "-c",
       "import mmap,threading,time\n"
       "open('/proc/self/coredump_filter','w').write('0x3f')\n"
       "secret=mmap.mmap(-1,1<<20,flags=mmap.MAP_PRIVATE|mmap.MAP_ANONYMOUS)\n"
       "secret.write(b'secret'); secret.madvise(mmap.MADV_DONTDUMP)\n"
       "text=b'bytes that a debugger is asked for'\n"
       "table={i:str(i)*8 for i in range(50000)}\n"
       "lock=threading.Lock(); lock.acquire()\n"
       "def deep(n): return deep(n-1)+1 if n else lock.acquire() or 0\n"
       "for i in range(4): threading.Thread(target=deep,args=(100+i,),daemon=True).start()\n"
       "time.sleep(.2)\n"
       "print('ready',id(text)+32,flush=True)\n"
       "while True: table[int(time.time()*1e6)%50000]=str(time.time())\n"});
  ASSERT_TRUE(target.WaitForOut("\n")) << target.Err();
  const std::string text = ReadyWords(target)[0];
  ASSERT_NO_FATAL_FAILURE(TakeBoth(target, {"--via", "fork"}));
  const std::vector<std::string> answers =
      ExpectSameAnswers({"x/s " + text, "x/512xg " + text, "x/4xg &_Py_NoneStruct",
                         "x/64xg &_PyRuntime", "x/s **(char***)&environ"});
  const size_t common = CommonCommands().size();
  EXPECT_NE(answers[common].find("bytes that a debugger"), std::string::npos) << answers[common];
  // No debug symbols are needed for where a global is, and what is there.
  ExpectMemory(answers[common + 2]);
  ExpectMemory(answers[common + 3]);
  EXPECT_NE(answers[common + 4].find("=", answers[common + 4].find('"')), std::string::npos)
      << answers[common + 4];
  EXPECT_EQ(CountOf(answers[3], "(LWP "), 5u) << answers[3];
  ExpectStacks();
}

TEST_F(CoreParityTest, Node) {
  STILLFRAME_REQUIRE(MissingProgram("node"));
  Subprocess target({"node", "-e",
                     "const held=[];"
                     "for(let i=0;i<200;i++) held.push(Buffer.alloc(65536,i%251));"
                     "const text=Buffer.from(['bytes','that','node','keeps'].join(' '));"
                     "let turn=0;"
                     "setInterval(()=>{held[turn++%200].fill(turn%251);text[0]=98},1);"
                     "setTimeout(()=>console.log('ready'),300)"});
  ASSERT_TRUE(target.WaitForOut("\n")) << target.Err();
  ASSERT_NO_FATAL_FAILURE(TakeBoth(target, {"--via", "precopy"}));
  const std::string text = AddressOf("bytes that node keeps");
  const std::vector<std::string> answers = ExpectSameAnswers(
      {"x/4xg &environ", "x/s **(char***)&environ", "x/s " + text, "x/512xg " + text});
  const size_t common = CommonCommands().size();
  ExpectMemory(answers[common]);
  ExpectMemory(answers[common + 3]);
  EXPECT_NE(answers[common + 2].find("bytes that node keeps"), std::string::npos)
      << answers[common + 2];
  EXPECT_GT(CountOf(answers[0], "Thread "), 5u) << answers[0];
  EXPECT_NE(answers[0].find("uv_run"), std::string::npos) << answers[0];
}

TEST_F(CoreParityTest, RedisUnderLoad) {
  STILLFRAME_REQUIRE(MissingProgram("redis-server"));
  const auto redis = RedisServer::Start();
  ASSERT_NE(redis, nullptr);
  redis->Fill(50'000, 500);
  EXPECT_EQ(redis->Ask({"set", "held", "a value that redis keeps"}), "OK\n");
  const auto load = redis->StartLoad();
  ASSERT_NO_FATAL_FAILURE(TakeBoth(redis->process(), {"--instant", "late"}));
  // A heap that is no [heap]: the memory of the dataset.
  const CoreSegment* largest = nullptr;
  for (const CoreSegment& segment : ours().segments()) {
    if (largest == nullptr || segment.file_size > largest->file_size) largest = &segment;
  }
  ASSERT_NE(largest, nullptr);
  const uint64_t middle = largest->range.begin.value + largest->file_size / 2;
  const std::string text = AddressOf("a value that redis keeps");
  const std::vector<std::string> answers = ExpectSameAnswers(
      {"x/4096xg " + std::to_string(middle), "info symbol $pc", "print *(int*)&server",
       "x/512xg &server", "x/s " + text, "x/512xg " + text});
  const size_t common = CommonCommands().size();
  EXPECT_GT(CountOf(answers[common], "0x"), 4096u);
  // It begins with the process's own id.
  EXPECT_NE(answers[common + 2].find("= " + std::to_string(redis->pid()) + "\n"), std::string::npos)
      << answers[common + 2];
  ExpectMemory(answers[common + 3]);
  ExpectMemory(answers[common + 5]);
  EXPECT_NE(answers[common + 4].find("a value that redis keeps"), std::string::npos)
      << answers[common + 4];
  EXPECT_NE(ExpectStacks(), "");
}

}  // namespace
}  // namespace stillframe::test
