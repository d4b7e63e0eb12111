extension ArchiveEntry {
  /// One extended attribute, xattr(7).
  public struct ExtendedAttribute: Hashable, Sendable {
    /// Its name, such as `user.comment`.
    public let name: String
    /// Its value.
    public let value: [UInt8]
  }

  /// What few callers ask for, kept out of the entry itself: an archive may have millions.
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

  /// The time of last access, where the format has one.
  public var accessed: Time? { details?.accessed }
  /// The time of the last change of the inode, where the format has one.
  public var changed: Time? { details?.changed }
  /// The time of creation, where the format has one.
  public var created: Time? { details?.created }
  /// The owner's number, where the format has one.
  public var userID: Int64? { details?.userID }
  /// The group's number, where the format has one.
  public var groupID: Int64? { details?.groupID }
  /// The owner's name, where the format has one.
  public var user: String? { details?.user }
  /// The group's name, where the format has one.
  public var group: String? { details?.group }
  /// The access control list as text, acl(5), where the format has one.
  public var accessControlList: String? { details?.accessControlList }
  /// The comment on the entry: of a zip's directory, or of the gzip around a lone file. Encoded like ``name``.
  public var comment: String? { details?.comment }
  /// The extended attributes, where the format has some.
  public var extendedAttributes: [ExtendedAttribute] { details?.attributes ?? [] }
}
