import Testing

/// The contents that most fixtures are made of, Fixtures/recipe/entries.py.
package struct Content: Sendable {
  package let name: String
  package let bytes: ByteString
  package let sha256: ByteString

  package static let hello = Content(
    name: "hello",
    bytes: "Hello, sealed world.\n",
    sha256: "93743c19c7c8c316565b23b82e5c5a3e874621c66a1f6de83248f1b3ebcc2db2")
  package static let script = Content(
    name: "script",
    bytes: "#!/bin/sh\necho run\n",
    sha256: "a4e0317eafab5cf1bc4a0041c7c8aeb6ece56fe72e7b2b3017a8a6574614cd35")
  package static let empty = Content(
    name: "empty",
    bytes: "",
    sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
  package static let poem = Content(
    name: "poem",
    bytes: (60...99).reversed().reduce("") { $0 + "\($1) green bottles hanging on the wall\n" },
    sha256: "6088ba1f83ad7b8a726cfc43658894ad4ce24ecd9719e34df7ed2d009a0491c5")

  /// The line that sha256sum(1) prints for this content under a name that needs no escape.
  package func line(_ name: ByteString) -> ByteString { sha256 + "  " + name + "\n" }
}

extension Content: CustomTestStringConvertible {
  package var testDescription: String { name }
}
