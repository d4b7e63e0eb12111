extension ArchiveReader {
  /// Extracts the selected entries into a file system in memory of their own, under their real names: directories, modes,
  /// times, symbolic and hard links among them.
  ///
  /// Memory is that of the content, in whole pages, about 1 KiB for each name, and what is kept of its entry; it counts as
  /// held (``Limits/heldBytes``). Set-user-ID, set-group-ID and sticky bits are taken away, the user owns everything and can
  /// read it, and ``ExtractionOptions/executable`` has no part in it: the modes say what may be executed. Storage and fill
  /// have no meaning here. All or nothing: when it throws, nothing is left. No process of the library's is left behind
  /// either way: where this process may not mount itself, a helper makes the file system and has ended before the first
  /// entry is read.
  ///
  /// - Parameters:
  ///   - selection: Which entries; all by default. What selected links lead to comes along.
  ///   - nested: With ``NestedArchives/expand``, a directory with its entries stands in each inner archive's place. A
  ///     selection is then asked with long names, as in ``extract(_:nested:options:)-1worq``.
  ///   - options: ``ExtractionOptions/insecureNames`` decides about names that lead out of the tree, and about symbolic
  ///     links that do: with `keep` they are left out and listed in ``MemTree/skipped``, with `reject` they throw.
  ///     ``ExtractionOptions/duplicates`` decides which entry of one name is made.
  /// - Throws: ``ArchiveError`` as ``extract(_:options:)-6v0su``; ``ArchiveError/Code/treeUnavailable`` when the system refuses
  ///   such a file system; ``ArchiveError/Code/nameConflict`` when a file or a link is in the place of a directory, or the
  ///   other way round; ``ArchiveError/Code/nameTooLong``.
  ///
  /// Calls clone(2), fsopen(2), fsmount(2), openat2(2), mount_setattr(2).
  public func tree(
    _ selection: Selection = .all, nested: NestedArchives = .keep,
    options: ExtractionOptions = ExtractionOptions()
  ) throws(ArchiveError) -> MemTree {
    try tree(selection, nested: nested, in: ExtractionContext(options))
  }

  package func tree(
    _ selection: Selection = .all, nested: NestedArchives = .keep, in context: ExtractionContext
  ) throws(ArchiveError) -> MemTree {
    let space = try TreeFileSystem(context.ledger, method: context.hooks.mountMethod)
    var builder = TreeBuilder(space, selection, nested: nested)
    try builder.build(self, in: context, below: try space.openTop())
    try builder.requireNames()
    return try MemTree(builder)
  }

  /// Extracts the selected entries into a file system in memory on a thread of its own; otherwise as the synchronous form.
  public func tree(
    _ selection: Selection = .all, nested: NestedArchives = .keep,
    options: ExtractionOptions = ExtractionOptions()
  ) async throws(ArchiveError) -> MemTree {
    let context = ExtractionContext(options)
    return try await context.onOwnThread { () throws(ArchiveError) in
      try tree(selection, nested: nested, in: context)
    }
  }
}

extension MemFile {
  /// Calls `body` with a path of this file whose last component is `name`, and keeps the file alive until `body` returns:
  /// for code that goes by a file's extension.
  ///
  /// The path is that of a symbolic link in a ``MemTree`` of its own.
  ///
  /// - Parameters:
  ///   - name: One component, at most 255 bytes, such as "x.svg".
  ///   - body: Called with the path, which is valid until it returns.
  /// - Throws: What `body` throws; otherwise as ``MemTree/init(linking:)-(MemFiles)``, with
  ///   ``ArchiveError/Code/insecureName`` for a name that is no single component.
  public func withPath<Result: ~Copyable>(
    named name: String, _ body: (String) throws -> Result
  ) throws -> Result {
    guard EntryPath(name)?.components == [EntryName.raw(name)] else {
      throw ArchiveError(
        .insecureName, entry: name, "a file's name is one component, without a slash",
        advice: "Give the last component alone, such as \"x.svg\".")
    }
    return try MemTree(linking: [(name, self)]).withPath(of: name, body)
  }
}
