extension ArchiveReader {
  /// Extracts the selected entries into an in-memory file system of their own, under their real names, with directories,
  /// modes, times, symbolic links and hard links.
  ///
  /// Memory use is the content in whole pages, about 1 KiB for each name, and the entry's metadata; it counts as
  /// held (``ExtractionLimits/heldBytes``). Set-user-ID, set-group-ID and sticky bits are cleared; the user owns everything
  /// (``ExtractionOptions/owner``) and can read it. Where the archive has no modes, files get 0644, those that begin like a program
  /// or a script and directories 0755. ``ExtractionOptions/executable`` has no effect, because the modes say what may be executed,
  /// and neither do storage and fill. All or nothing: when it throws, nothing is left. In either case no process is left running: if this
  /// process may not mount, a helper process creates the file system and has ended before the first entry is read.
  ///
  /// - Parameters:
  ///   - selection: Which entries; all by default. The targets of selected links are included.
  ///   - writable: Whether files in the tree can be changed, made and removed, for programs that write beside their data. The
  ///     changes are in a layer of their own (overlayfs, Linux 5.11 or root), in memory of at most what
  ///     ``ExtractionLimits/heldBytes`` leaves, and gone with the tree; ``MemTree/changes()`` lists them.
  ///   - options: ``ExtractionOptions/insecureNames`` decides about names that lead out of the tree, and about symbolic
  ///     links that do: with `keep` they are left out and listed in ``MemTree/skipped`` (but see
  ///     ``ExtractionOptions/outwardLinks``), with `reject` they throw.
  ///     ``ExtractionOptions/duplicates`` decides which of several entries with one name is created.
  /// - Throws: ``ArchiveError`` as ``extract(_:options:)-78d4g``; ``ArchiveError/Code/treeUnavailable`` when the system refuses
  ///   such a file system; ``ArchiveError/Code/nameConflict`` when a file or a link is in the place of a directory, or the
  ///   other way around; ``ArchiveError/Code/nameTooLong``.
  ///
  /// Calls clone(2), fsopen(2), fsmount(2), openat2(2), mount_setattr(2).
  public func tree(
    _ selection: EntrySelection = .all, writable: Bool = false,
    options: ExtractionOptions = ExtractionOptions()
  ) throws(ArchiveError) -> MemTree {
    try ExtractionContext(options).observing(.tree, of: self) { context throws(ArchiveError) in
      try tree(selection, writable: writable, nested: options.nestedArchives, in: context)
    }
  }

  package func tree(
    _ selection: EntrySelection = .all, writable: Bool = false,
    nested: ExtractionOptions.NestedArchives = .keep, in context: ExtractionContext
  ) throws(ArchiveError) -> MemTree {
    let space = try TreeFileSystem(
      context.ledger, method: context.hooks.mountMethod, looks: TreeLooks(context.options))
    var builder = TreeBuilder(space, selection, nested: nested)
    try builder.build(ArchiveLevel(outermost: self, in: context), below: try space.openTop())
    try builder.requireNames(context.options)
    return try MemTree(builder, writable: writable)
  }

  /// Extracts the selected entries into an in-memory file system on a thread of its own; otherwise like the synchronous
  /// form.
  public func tree(
    _ selection: EntrySelection = .all, writable: Bool = false,
    options: ExtractionOptions = ExtractionOptions()
  ) async throws(ArchiveError) -> MemTree {
    try await options.pool.run({ ExtractionContext(options) }) { context throws(ArchiveError) in
      try context.observing(.tree, of: self) { context throws(ArchiveError) in
        try tree(selection, writable: writable, nested: options.nestedArchives, in: context)
      }
    }
  }
}

extension MemFile {
  /// Calls `body` with a path to this file whose last component is `name`, and keeps the file alive until `body` returns:
  /// for code that looks at a file's extension.
  ///
  /// The path is that of a symbolic link in a ``MemTree`` of its own.
  ///
  /// - Parameters:
  ///   - name: One component, at most 255 bytes, such as "x.svg".
  ///   - body: Called with the path, which is valid until it returns.
  /// - Throws: What `body` throws; otherwise as ``MemTree/init(linking:)-(MemFiles)``, with
  ///   ``ArchiveError/Code/insecureName`` if the name is not a single component.
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
