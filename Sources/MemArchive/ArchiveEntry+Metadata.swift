extension ArchiveEntry {
  /// One extended attribute, xattr(7).
  public struct ExtendedAttribute: Hashable, Sendable {
    /// Its name, such as `user.comment`.
    public let name: String
    /// Its value.
    public let value: [UInt8]
  }

  /// Rarely used metadata, kept out of the entry itself because an archive may have millions of entries.
  struct Details: Hashable, Sendable, TextHolder {
    var accessed: Time?
    var changed: Time?
    var created: Time?
    var userID: Int64?
    var groupID: Int64?
    var user: String?
    var group: String?
    var accessControlList: String?
    var comment: String?
    var attributes: [ExtendedAttribute] = []
  }

  private var details: Details? { fields.value.details?.value }

  /// The time of last access, if the format records it.
  public var accessed: Time? { details?.accessed }
  /// The time of the inode's last change, if the format records it.
  public var changed: Time? { details?.changed }
  /// The time of creation, if the format records it.
  public var created: Time? { details?.created }
  /// The owner's user ID, if the format records it.
  public var userID: Int64? { details?.userID }
  /// The group ID, if the format records it.
  public var groupID: Int64? { details?.groupID }
  /// The owner's name, if the format records it.
  public var user: String? { details?.user }
  /// The group's name, if the format records it.
  public var group: String? { details?.group }
  /// The access control list as text, acl(5), if the format records it.
  public var accessControlList: String? { details?.accessControlList }
  /// The comment on the entry, from a zip's central directory or the gzip header of a lone file. Encoded like ``name``.
  public var comment: String? { details?.comment }
  /// The extended attributes; empty if the format has none.
  public var extendedAttributes: [ExtendedAttribute] { details?.attributes ?? [] }
}
