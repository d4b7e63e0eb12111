internal import Glibc

extension ArchiveEntry.Time {
  /// The time of DOS, which is local time; nil if there is no such time.
  init?(dos date: UInt32) {
    var parts = unsafe tm()
    unsafe parts.tm_year = Int32(date >> 25) + 80
    unsafe parts.tm_mon = Int32(date >> 21 & 15) - 1
    unsafe parts.tm_mday = Int32(date >> 16 & 31)
    unsafe parts.tm_hour = Int32(date >> 11 & 31)
    unsafe parts.tm_min = Int32(date >> 5 & 63)
    unsafe parts.tm_sec = Int32(date & 31) * 2
    unsafe parts.tm_isdst = -1
    let day = unsafe (parts.tm_mon, parts.tm_mday)
    guard
      unsafe (0..<12).contains(parts.tm_mon) && parts.tm_mday > 0 && parts.tm_hour < 24 && parts.tm_min < 60
        && parts.tm_sec < 60
    else { return nil }
    let seconds = unsafe mktime(&parts)
    // A 31st of February has become a day in March.
    guard unsafe seconds != -1 && day == (parts.tm_mon, parts.tm_mday) else { return nil }
    self.init(seconds: Int64(seconds))
  }

  /// Windows' intervals of 100 ns since 1601.
  init(windows ticks: UInt64) {
    self.init(seconds: Int64(ticks / 10_000_000) - 11_644_473_600, nanoseconds: Int(ticks % 10_000_000) * 100)
  }

  /// The same as NTFS has them; nil for zero, and for what no clock can show.
  init?(ntfs ticks: UInt64) {
    guard ticks > 0, ticks < UInt64(Int64.max) else { return nil }
    self.init(windows: ticks)
  }
}
