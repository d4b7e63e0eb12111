internal import SealedMemory

/// The entries of a stream whose content is packed where it lies in the stream's own slabs: when the slab of some has passed,
/// it is known how much of it is content, and it becomes theirs, or their content is copied.
final class StreamEntries {
  private let source: SlabbedSource
  private let factory: MemFileFactory
  private var rule = StreamRule()
  /// The slab of the entries that wait.
  private var slab: StreamSlab?
  /// Whether it is kept already.
  private var isKept = false
  private var waiting: [(entry: ArchiveEntry, position: Int, place: Range<Int>)] = []
  /// For the content of these.
  private var charge: Charge

  init(_ source: SlabbedSource, _ factory: MemFileFactory) {
    self.source = source
    self.factory = factory
    charge = Charge(factory.ledger, entry: SlabWriter.name)
  }

  /// Takes an entry that is to be packed, and delivers it later; false where its content is to be read.
  ///
  /// - Parameters:
  ///   - part: Where the stream has its content; nil where that is more than a part of it.
  ///   - drain: Delivers all entries before it that are with others.
  func take(
    _ entry: ArchiveEntry, _ position: Int, _ part: Range<Int64>?, _ deliver: EntryDelivery,
    drain: () -> Void
  ) throws(ArchiveError) -> Bool {
    guard let part else { return false }
    guard let place = source.place(of: part), let current = source.slab else {
      if source.isFilling {
        source.leaveOut(to: part.upperBound)
      } else if rule.begins(after: part) {
        source.begin()
      }
      return false
    }
    drain()
    if current !== slab {
      settle(deliver)
      (slab, isKept) = (current, false)
    }
    do throws(ArchiveError) { try charge.add(Int64(place.count), of: entry.name) } catch {
      // What was delivered may have been given back.
      settle(deliver)
      try charge.add(Int64(place.count), of: entry.name)
    }
    waiting.append((entry, position, place))
    return true
  }

  /// Delivers the entries that wait.
  func settle(_ deliver: EntryDelivery) {
    guard let slab, !waiting.isEmpty else { return }
    defer { waiting.removeAll(keepingCapacity: true) }
    let content = waiting.reduce(0) { $0 + Int64($1.place.count) }
    let verdict = isKept ? .copy : rule.verdict(on: content, of: Int64(slab.range.count))
    if verdict == .keep {
      isKept = true
      var kept = Charge(factory.ledger, entry: SlabWriter.name)
      charge.move(to: &kept)
      let shared = Slab(
        slab.sealed, files: waiting.count, kept, modes: factory.modes,
        keepsDescriptor: factory.keepsDescriptors)
      for (entry, position, place) in waiting {
        let file = MemFile(
          .packed(shared, place), name: entry.name, entry: entry, mode: factory.modes.mode(of: entry))
        deliver(entry, position, .success(file))
      }
    } else {
      if verdict == .copyAndStop { source.stop() }
      for (entry, position, place) in waiting {
        deliver(entry, position, copied(entry, place, in: slab))
      }
    }
  }

  private func copied(
    _ entry: ArchiveEntry, _ place: Range<Int>, in slab: StreamSlab
  ) -> Result<MemFile?, ArchiveError> {
    let reserved = charge.passOn(Int64(place.count))
    do throws(ArchiveError) {
      let file = try factory.file(entry, reserved: reserved) { take throws(ArchiveError) in
        try slab.sealed.withBytes(place) { bytes throws(ArchiveError) in try take(bytes, 0) }
        return Int64(place.count)
      }
      return .success(file)
    } catch {
      return .failure(error)
    }
  }
}
