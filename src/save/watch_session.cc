#include <unistd.h>

#include <memory>
#include <utility>

#include "save/precopy_way.h"
#include "save/replaceable_sink.h"
#include "save/save_options.h"
#include "save/session.h"
#include "save/without_exceptions.h"
#include "stillframe/watch.h"

namespace stillframe {
namespace {

class Watch final : public WatchSession {
 public:
  Watch(std::unique_ptr<Target> target, std::unique_ptr<ReplaceableSink> sink, SaveOptions options)
      : target_(*target),
        sink_(*sink),
        session_(std::move(target), std::move(sink), std::move(options),
                 [this](SaveContext& context) { return MakeWay(context); }) {}
  ~Watch() override { session_.ReleaseTarget(); }

  Result<SaveSummary> Save(std::unique_ptr<PageSink> sink, bool follows) override {
    if (begun_) {
      session_.BeginAnew();
      way_->BeginAnew(follows && good_);
    }
    begun_ = true;
    sink_.Replace(std::move(sink));
    auto summary = session_.RunWithoutRelease();
    good_ = summary.has_value();
    sink_.Replace(nullptr);
    return summary;
  }
  void Cancel() override { session_.Cancel(); }
  SaveProgress Progress() const override { return session_.Progress(); }
  Result<void> CheckAlive() const override { return target_.CheckAlive(); }

 private:
  std::unique_ptr<SaveWay> MakeWay(SaveContext& context) {
    auto way = std::make_unique<PrecopyWay>(context);
    way_ = way.get();
    return way;
  }

  const Target& target_;
  ReplaceableSink& sink_;
  PrecopyWay* way_ = nullptr;  // the session's; before it, since it fills this
  Session session_;
  bool begun_ = false;
  bool good_ = false;  // the last save
};

}  // namespace

Result<std::unique_ptr<WatchSession>> WatchSession::Create(std::unique_ptr<Target> target,
                                                           SaveOptions options) {
  options.via = Via::kPrecopy;
  STILLFRAME_TRY(CheckSaveOptions(options));
  STILLFRAME_TRY(CheckRoomFor(options));
  if (target->pid() == getpid()) {
    return Fail(ErrorCode::kUsage, "one's own process can't be watched");
  }
  return WithoutExceptions("for the watch", [&]() -> Result<std::unique_ptr<WatchSession>> {
    return std::make_unique<Watch>(std::move(target), std::make_unique<ReplaceableSink>(),
                                   std::move(options));
  });
}

}  // namespace stillframe
