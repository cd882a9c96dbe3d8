// A real redis-server on a free loopback port, with real load.
#ifndef STILLFRAME_TESTS_SUPPORT_REDIS_SERVER_H_
#define STILLFRAME_TESTS_SUPPORT_REDIS_SERVER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "support/subprocess.h"
#include "support/temp_dir.h"

namespace stillframe::test {

class RedisServer {
 public:
  // Listening when this returns; Start returns null and says why on stderr when it can't be
  // started.
  static std::unique_ptr<RedisServer> Start();

  pid_t pid() const { return server_.pid(); }
  uint16_t port() const { return port_; }
  Subprocess& process() { return server_; }

  // The answer of redis-cli.
  std::string Ask(const std::vector<std::string>& words) const;
  // Fills it: `keys` values of `size` bytes.
  void Fill(int keys, int size) const;
  // redis-benchmark, writing without end until the returned object dies.
  std::unique_ptr<Subprocess> StartLoad() const;

 private:
  RedisServer(uint16_t port);

  TempDir directory_;
  uint16_t port_;
  Subprocess server_;
};

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_SUPPORT_REDIS_SERVER_H_
