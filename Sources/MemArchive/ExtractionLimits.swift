/// What an archive may cost, counted on the bytes actually read and before memory is committed for them.
///
/// A declared size is used only to refuse early, never to allocate. A sparse entry counts with its
/// logical size, because reading a hole through a mapping allocates memory. <doc:WhatAnArchiveMayCost> explains what an entry
/// costs besides its content, and what counts when.
public struct ExtractionLimits: Hashable, Sendable {
  /// Bytes of content that one extraction may produce in all, whether kept or not. `nil`: no limit.
  public var totalBytes: Int64?
  /// Bytes that may be held at once: content in memory, entries with their names, links and attributes, warnings and
  /// errors. `nil`: three quarters of what the process's control groups and MemAvailable leave when the extraction starts,
  /// and no more than ``totalBytes`` plus 64 MiB, or than the environment's `MEMARCHIVE_MEMORY`.
  public var heldBytes: Int64?
  /// Bytes of content of one entry. `nil`: no limit.
  public var entryBytes: Int64?
  /// Entries of every kind, extracted or skipped.
  public var entries: Int
  /// Bytes of one entry's name, both as ``ArchiveEntry/name`` and as it is in the archive, and of its link target.
  public var nameBytes: Int
  /// Bytes of one entry's extended attributes, plus 96 for each of them, its access control list, its comment and the names
  /// of its owner and group, taken together.
  public var attributeBytes: Int
  /// Bytes of content for each byte of the archive, beyond the first 16 MiB of content. `nil`: no limit. Deflate reaches
  /// 1,030, so a ratio says little about intent.
  public var ratio: Double?
  /// Layers of compression around the archive (gzip in gzip counts two).
  public var depth: Int

  /// The limits by name, for ``ArchiveError/Advice/raiseLimit(_:)``.
  @nonexhaustive
  public enum Name: String, Hashable, CaseIterable, Sendable {
    /// ``ExtractionLimits/totalBytes``.
    case totalBytes
    /// ``ExtractionLimits/heldBytes``.
    case heldBytes
    /// ``ExtractionLimits/entryBytes``.
    case entryBytes
    /// ``ExtractionLimits/entries``.
    case entries
    /// ``ExtractionLimits/nameBytes``.
    case nameBytes
    /// ``ExtractionLimits/attributeBytes``.
    case attributeBytes
    /// ``ExtractionLimits/ratio``.
    case ratio
    /// ``ExtractionLimits/depth``.
    case depth
  }

  /// The defaults: memory bounded by what the machine has, 10,000,000 entries, names of 64 KiB, attributes of 4 MiB,
  /// 4 layers.
  public init(
    totalBytes: Int64? = nil, heldBytes: Int64? = nil, entryBytes: Int64? = nil, entries: Int = 10_000_000,
    nameBytes: Int = 65_536, attributeBytes: Int = 4 << 20, ratio: Double? = nil, depth: Int = 4
  ) {
    self.totalBytes = totalBytes
    self.heldBytes = heldBytes
    self.entryBytes = entryBytes
    self.entries = entries
    self.nameBytes = nameBytes
    self.attributeBytes = attributeBytes
    self.ratio = ratio
    self.depth = depth
  }

  /// Limits for untrusted archives: 512 MiB in all, 10,000 entries.
  public static var strict: Self {
    Self(totalBytes: 512 << 20, heldBytes: 512 << 20, entryBytes: 512 << 20, entries: 10_000)
  }
}
