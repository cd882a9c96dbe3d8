// Units that the compiler keeps apart: bytes, pages, and addresses that belong to another process.
#ifndef STILLFRAME_UNITS_H_
#define STILLFRAME_UNITS_H_

#include <chrono>
#include <compare>
#include <cstdint>

namespace stillframe {

// A count of one unit. Plain arithmetic; an overflow is the caller's bug, so whatever comes from a
// file or another process is checked before it becomes one of these.
template <class Unit>
struct Quantity {
  uint64_t count = 0;

  constexpr auto operator<=>(const Quantity&) const = default;
  constexpr Quantity& operator+=(Quantity other) {
    count += other.count;
    return *this;
  }
  constexpr Quantity& operator-=(Quantity other) {
    count -= other.count;
    return *this;
  }
  friend constexpr Quantity operator+(Quantity a, Quantity b) { return {a.count + b.count}; }
  friend constexpr Quantity operator-(Quantity a, Quantity b) { return {a.count - b.count}; }
  friend constexpr Quantity operator*(Quantity a, uint64_t factor) { return {a.count * factor}; }
  friend constexpr Quantity operator/(Quantity a, uint64_t divisor) { return {a.count / divisor}; }
};

using Bytes = Quantity<struct BytesUnit>;
using Pages = Quantity<struct PagesUnit>;  // of kPageSize

// The page of x86-64, and the unit of every page count in this library, huge pages included.
inline constexpr Bytes kPageSize{4096};

constexpr Bytes ToBytes(Pages pages) { return {pages.count * kPageSize.count}; }
// Rounds down.
constexpr Pages ToPages(Bytes bytes) { return {bytes.count / kPageSize.count}; }

constexpr Bytes KiB(uint64_t n) { return {n << 10}; }
constexpr Bytes MiB(uint64_t n) { return {n << 20}; }
constexpr Bytes GiB(uint64_t n) { return {n << 30}; }

// The number of a page within the memory of one save: the pages of all its regions, counted
// through.
struct PageIndex {
  uint64_t value = 0;

  constexpr auto operator<=>(const PageIndex&) const = default;
  friend constexpr PageIndex operator+(PageIndex page, Pages n) { return {page.value + n.count}; }
  friend constexpr Pages operator-(PageIndex a, PageIndex b) { return {a.value - b.value}; }
};

// An address of the target. Deliberately no pointer: it means nothing in this process.
struct TargetAddress {
  uint64_t value = 0;

  constexpr auto operator<=>(const TargetAddress&) const = default;
  friend constexpr TargetAddress operator+(TargetAddress a, Bytes n) { return {a.value + n.count}; }
  friend constexpr TargetAddress operator-(TargetAddress a, Bytes n) { return {a.value - n.count}; }
  friend constexpr Bytes operator-(TargetAddress a, TargetAddress b) { return {a.value - b.value}; }
};

// [begin, end).
struct AddressRange {
  TargetAddress begin;
  TargetAddress end;

  constexpr bool operator==(const AddressRange&) const = default;
  constexpr Bytes size() const { return end - begin; }
  constexpr Pages pages() const { return ToPages(size()); }
  constexpr bool empty() const { return end <= begin; }
  constexpr bool Contains(TargetAddress a) const { return begin <= a && a < end; }
  constexpr bool Contains(AddressRange r) const { return begin <= r.begin && r.end <= end; }
  constexpr bool Overlaps(AddressRange r) const { return begin < r.end && r.begin < end; }
};

// Empty (begin == end) where the two have nothing in common.
constexpr AddressRange Intersect(AddressRange a, AddressRange b) {
  const TargetAddress begin = a.begin < b.begin ? b.begin : a.begin;
  const TargetAddress end = a.end < b.end ? a.end : b.end;
  return begin < end ? AddressRange{begin, end} : AddressRange{begin, begin};
}

// CLOCK_MONOTONIC, the only clock that anything here is measured with.
using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

}  // namespace stillframe

#endif  // STILLFRAME_UNITS_H_
