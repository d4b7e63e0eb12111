internal import CLinux
internal import SealedMemory

extension MemFile {
  /// The seals of a file in memory: operations that are permanently ruled out. fcntl(2), "File sealing".
  public struct Seals: OptionSet, Hashable, Sendable {
    /// The bits of F_GET_SEALS.
    public let rawValue: Int32
    /// Seals from the bits of F_GET_SEALS.
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// F_SEAL_SEAL: no seal can be added.
    public static var seal: Self { Self(rawValue: Int32(CLINUX_F_SEAL_SEAL)) }
    /// F_SEAL_SHRINK: the size cannot be reduced.
    public static var shrink: Self { Self(rawValue: Int32(CLINUX_F_SEAL_SHRINK)) }
    /// F_SEAL_GROW: the size cannot be increased.
    public static var grow: Self { Self(rawValue: Int32(CLINUX_F_SEAL_GROW)) }
    /// F_SEAL_WRITE: the content cannot be changed.
    public static var write: Self { Self(rawValue: Int32(CLINUX_F_SEAL_WRITE)) }
    /// F_SEAL_FUTURE_WRITE: like ``write``, except that existing mappings can still write. Never set by this library.
    public static var futureWrite: Self { Self(rawValue: Int32(CLINUX_F_SEAL_FUTURE_WRITE)) }
    /// F_SEAL_EXEC: the execute permission cannot be added. Linux 6.3; compare by mask, because it may be missing.
    public static var exec: Self { Self(rawValue: Int32(CLINUX_F_SEAL_EXEC)) }

    /// The seals that every MemFile has: seal, shrink, grow, write.
    public static var final: Self { [.seal, .shrink, .grow, .write] }
  }
}

extension MemFile.Seals: CustomStringConvertible {
  /// The names as in fcntl(2), such as "SHRINK|GROW|WRITE|SEAL|EXEC".
  public var description: String { SealedMemfd.names(of: rawValue) }
}
