// The fonts of an archive by FreeType, which takes a path and keeps it open: so the file lives as long as the face.
//
// pkg-config: memarchive freetype2
#include <ft2build.h>
#include FT_FREETYPE_H
#include <memarchive.h>

#include <iostream>
#include <memory>
#include <stdexcept>
#include <string_view>

namespace {

template <auto free> struct Freeing {
  template <class Value> void operator()(Value *value) const { free(value); }
};
using Archive = std::unique_ptr<memarchive_archive, Freeing<memarchive_archive_free>>;
using Files = std::unique_ptr<memarchive_files, Freeing<memarchive_files_free>>;
using File = std::unique_ptr<memarchive_file, Freeing<memarchive_file_free>>;
using Library = std::unique_ptr<FT_LibraryRec_, Freeing<FT_Done_FreeType>>;
using Face = std::unique_ptr<FT_FaceRec_, Freeing<FT_Done_Face>>;

// Calls a function of the library, and throws what it fails with.
template <class Function, class... Arguments> void call(Function function, Arguments... arguments) {
  memarchive_error *error = nullptr;
  if (function(arguments..., &error) == MEMARCHIVE_OK) return;
  const std::unique_ptr<memarchive_error, Freeing<memarchive_error_free>> owned(error);
  throw std::runtime_error(owned->message);
}

// A face and the file that it is read from, which is closed after it.
struct Font {
  File file;
  Face face;

  Font(FT_Library library, memarchive_file *borrowed) : file(memarchive_file_retain(borrowed)) {
    const char *path = nullptr;
    call(memarchive_file_path, file.get(), &path);
    FT_Face opened = nullptr;
    if (FT_New_Face(library, path, 0, &opened) != 0) throw std::runtime_error("FreeType does not read this font");
    face.reset(opened);
  }
};

Files fonts(const char *path) {
  memarchive_archive *opened = nullptr;
  call(memarchive_open_path, path, nullptr, &opened);
  const Archive archive(opened);
  const memarchive_text pattern = {"*.ttf", MEMARCHIVE_ZERO_TERMINATED};
  memarchive_selection selection = {};
  selection.struct_size = sizeof selection;
  selection.patterns = &pattern;
  selection.pattern_count = 1;
  memarchive_files *files = nullptr;
  call(memarchive_extract, archive.get(), &selection, &files);
  return Files(files);
}

}  // namespace

int main(int count, char **arguments) try {
  if (count != 2) return 64;
  FT_Library started = nullptr;
  if (FT_Init_FreeType(&started) != 0) return 70;
  const Library library(started);
  const Files files = fonts(arguments[1]);
  for (size_t index = 0; index < memarchive_files_count(files.get()); index++) {
    const Font font(library.get(), memarchive_files_at(files.get(), index));
    const memarchive_text name = memarchive_file_name(font.file.get());
    const std::string_view whole(name.data, name.length);
    std::cout << whole.substr(whole.rfind('/') + 1) << ": " << font.face->family_name << ", " << font.face->num_glyphs
              << " glyphs\n";
  }
} catch (const std::exception &failure) {
  std::cerr << failure.what() << "\n";
  return 1;
}
