#include "support/redis_server.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "support/files.h"
#include "support/free_port.h"

namespace stillframe::test {

RedisServer::RedisServer(uint16_t port)
    : port_(port),
      server_({"redis-server", "--port", std::to_string(port), "--bind", "127.0.0.1", "--save", "",
               "--enable-debug-command", "local", "--appendonly", "no", "--dir",
               directory_.path()}) {}

std::unique_ptr<RedisServer> RedisServer::Start() {
  // Another process may have taken the port since it was found free.
  for (int attempt = 0; attempt < 5; ++attempt) {
    std::unique_ptr<RedisServer> redis(new RedisServer(FreeLoopbackPort()));
    const bool up =
        Eventually([&] { return !redis->server_.IsRunning() || redis->Ask({"ping"}) == "PONG\n"; });
    if (up && redis->server_.IsRunning()) return redis;
    std::fprintf(stderr, "redis-server did not start: %s%s\n", redis->server_.Out().c_str(),
                 redis->server_.Err().c_str());
  }
  return nullptr;
}

std::string RedisServer::Ask(const std::vector<std::string>& words) const {
  std::vector<std::string> command = {"redis-cli", "-p", std::to_string(port_)};
  command.insert(command.end(), words.begin(), words.end());
  return RunToEnd(command).out;
}

void RedisServer::Fill(int keys, int size) const {
  const std::string answer =
      Ask({"debug", "populate", std::to_string(keys), "key", std::to_string(size)});
  EXPECT_EQ(answer, "OK\n");
}

std::unique_ptr<Subprocess> RedisServer::StartLoad() const {
  auto load = std::make_unique<Subprocess>(
      std::vector<std::string>{"redis-benchmark", "-p", std::to_string(port_), "-c", "20", "-r",
                               "100000", "-d", "1000", "-t", "set,lpush,incr,hset", "-l", "-q"});
  Eventually(
      [&] {
        return Ask({"info", "clients"}).find("connected_clients:2") != std::string::npos;
      },
      10);
  return load;
}

}  // namespace stillframe::test
