// How the tracer waits for threads, which nothing wakes it for.
#ifndef STILLFRAME_TARGET_GIVE_WAY_H_
#define STILLFRAME_TARGET_GIVE_WAY_H_

namespace stillframe {

// Between two looks at a thread that is on its way: it may need this CPU to get there. `look` is
// how many there were before; the later, the longer it waits, 100 us at most.
void GiveWay(int look);

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_GIVE_WAY_H_
