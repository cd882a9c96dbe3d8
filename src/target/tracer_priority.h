// When the tracer goes ahead of all other threads, and when it must not.
#ifndef STILLFRAME_TARGET_TRACER_PRIORITY_H_
#define STILLFRAME_TARGET_TRACER_PRIORITY_H_

namespace stillframe {

// Puts the calling thread ahead of others, what it starts excepted: a thread of the target that it
// wakes can't push it off its CPU with the rest of them still standing (seen with 64 busy threads
// on two CPUs: the last one stood many times as long). Nothing happens without the right to it, or
// in a program that has a policy of its own. No allocation.
void GetAhead();

// While it lives, the calling thread is one among others again: when they need its CPU. No
// allocation. Thread rule: one.
class StepBack {
 public:
  StepBack();
  StepBack(const StepBack&) = delete;
  StepBack& operator=(const StepBack&) = delete;
  ~StepBack();

 private:
  const bool was_ahead_;
};

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_TRACER_PRIORITY_H_
