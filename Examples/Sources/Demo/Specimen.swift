import CFreeType
import MemArchive

/// A word drawn by FreeType, which opens the font by path.
struct Specimen {
  private(set) var family = ""
  private(set) var style = ""
  private(set) var glyphs = 0
  private(set) var rows: [[Bool]] = []

  /// The font's letters are drawn on 8 pixels to the em, so that each comes out exact.
  private static let height = 8

  init(of word: String, font: MemFile) throws {
    var library: FT_Library?
    guard FT_Init_FreeType(&library) == 0 else { throw Failure("FreeType did not start") }
    defer { FT_Done_FreeType(library) }
    // FreeType keeps the file open or mapped while the face lives, and may open it late: the path spans both.
    try font.withPath { path in
      var opened: FT_Face?
      let status = FT_New_Face(library, path, 0, &opened)
      guard status == 0, let face = opened else { throw Failure("FreeType error \(status) for the font") }
      defer { FT_Done_Face(face) }
      family = face.pointee.family_name.map { String(cString: $0) } ?? ""
      style = face.pointee.style_name.map { String(cString: $0) } ?? ""
      glyphs = face.pointee.num_glyphs
      try draw(word, with: face)
    }
    guard rows.contains(where: { $0.contains(true) }) else { throw Failure("FreeType drew nothing") }
  }

  private mutating func draw(_ word: String, with face: FT_Face) throws {
    guard FT_Set_Pixel_Sizes(face, 0, FT_UInt(Self.height)) == 0 else {
      throw Failure("FreeType took no size")
    }
    var pen = 0
    for letter in word.unicodeScalars {
      guard FT_Load_Char(face, FT_ULong(letter.value), FT_Int32(FT_LOAD_RENDER)) == 0,
        let glyph = face.pointee.glyph?.pointee
      else { throw Failure("FreeType did not draw \(letter)") }
      blend(glyph, at: pen)
      pen += glyph.advance.x >> 6  // 26.6 fixed point
    }
  }

  private mutating func blend(_ glyph: FT_GlyphSlotRec_, at pen: Int) {
    let bitmap = glyph.bitmap
    let width = pen + Int(glyph.bitmap_left) + Int(bitmap.width)
    if rows.isEmpty { rows = Array(repeating: [], count: Self.height) }
    for row in rows.indices where rows[row].count < width {
      rows[row] += Array(repeating: false, count: width - rows[row].count)
    }
    guard let pixels = bitmap.buffer else { return }
    for y in 0..<Int(bitmap.rows) {
      let row = Self.height - 1 - Int(glyph.bitmap_top) + y
      guard rows.indices.contains(row) else { continue }
      for x in 0..<Int(bitmap.width) where pixels[y * Int(bitmap.pitch) + x] > 127 {
        rows[row][pen + Int(glyph.bitmap_left) + x] = true
      }
    }
  }
}

extension Specimen: CustomStringConvertible {
  var description: String {
    let picture = rows.filter { $0.contains(true) }
      .map { "\n     " + $0.map { $0 ? "█" : " " }.joined() }.joined()
    return "\(family) \(style), \(glyphs) glyphs" + picture
  }
}
