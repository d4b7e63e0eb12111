internal import Libc

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

  /// The time as DOS has it, in UTC, whose years are 1980 to 2107 and seconds even.
  var dos: UInt32 {
    var parts = unsafe tm()
    var seconds = time_t(min(max(self.seconds, Self.firstDOS), Self.lastDOS))
    unsafe gmtime_r(&seconds, &parts)
    let date = unsafe (parts.tm_year - 80) << 9 | (parts.tm_mon + 1) << 5 | parts.tm_mday
    let time = unsafe parts.tm_hour << 11 | parts.tm_min << 5 | min(parts.tm_sec, 59) / 2
    return UInt32(date) << 16 | UInt32(time)
  }

  /// 1980-01-01 00:00:00 and 2107-12-31 23:59:58.
  private static let (firstDOS, lastDOS) = (Int64(315_532_800), Int64(4_354_819_198))

  /// The time in Windows' intervals; nil for what is not between 1601 and 30,828.
  var windowsTicks: UInt64? {
    let (sum, overflow) = seconds.addingReportingOverflow(11_644_473_600)
    guard !overflow, (0..<Int64.max / 10_000_000).contains(sum) else { return nil }
    return UInt64(sum) * 10_000_000 + UInt64(nanoseconds / 100)
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
