// The library as C++17 uses it: owners that free, spans, exceptions that stay on this side, threads.
//
//   raii DIRECTORY                        DIRECTORY has what archives.py wrote
#include <memarchive.h>

#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

template <auto free> struct Freeing {
  template <class Value> void operator()(Value *value) const { free(value); }
};
template <class Value, auto free> using Owned = std::unique_ptr<Value, Freeing<free>>;

using Archive = Owned<memarchive_archive, memarchive_archive_free>;
using Files = Owned<memarchive_files, memarchive_files_free>;
using File = Owned<memarchive_file, memarchive_file_free>;
using Stream = Owned<memarchive_stream, memarchive_stream_free>;
using Error = Owned<memarchive_error, memarchive_error_free>;

struct Failure : std::runtime_error {
  explicit Failure(Error error) : std::runtime_error(error->message), code(error->code) {}
  memarchive_code code;
};

// Calls a function with `arguments` and the place for its error, which is thrown.
template <class Function, class... Arguments> void check(Function function, Arguments... arguments) {
  memarchive_error *error = nullptr;
  if (function(arguments..., &error) != MEMARCHIVE_OK) throw Failure(Error(error));
}

std::string_view view(memarchive_text text) { return {text.data, text.length}; }

void expect(bool condition, const char *what) {
  if (condition) return;
  std::cerr << "raii.cpp: not so: " << what << "\n";
  std::exit(1);
}

Archive open(const std::string &path) {
  memarchive_archive *archive = nullptr;
  check(memarchive_open_path, path.c_str(), nullptr, &archive);
  return Archive(archive);
}

Files extract(const Archive &archive) {
  memarchive_files *files = nullptr;
  check(memarchive_extract, archive.get(), nullptr, &files);
  return Files(files);
}

// An exception of a callback's waits outside until the library has returned.
struct Collector {
  std::string content;
  std::exception_ptr failure;
  static int32_t take(void *user, const void *block, size_t size, int64_t) {
    auto &self = *static_cast<Collector *>(user);
    try {
      self.content.append(static_cast<const char *>(block), size);
      if (self.content.size() >= 600) throw std::length_error("enough");
      return 0;
    } catch (...) {
      self.failure = std::current_exception();
      return 1;
    }
  }
};

}  // namespace

int main(int, char **arguments) {
  const std::string directory = arguments[1];
  const Archive archive = open(directory + "/basic.zip");

  File kept;
  {
    const Files files = extract(archive);
    for (size_t index = 0; index < memarchive_files_count(files.get()); index++) {
      memarchive_file *file = memarchive_files_at(files.get(), index);
      const char *path = nullptr;
      check(memarchive_file_path, file, &path);
      std::ostringstream content;
      if (memarchive_file_size(file) > 0) content << std::ifstream(path, std::ios::binary).rdbuf();
      expect(static_cast<int64_t>(content.str().size()) == memarchive_file_size(file), "a path opens the content");
    }
    kept.reset(memarchive_file_retain(memarchive_files_find(files.get(), "caf\xe9.txt", 8)));
  }
  const void *bytes = nullptr;
  size_t size = 0;
  memarchive_error *error = nullptr;
  expect(memarchive_file_bytes(kept.get(), &bytes, &size, &error) == MEMARCHIVE_OK, "a kept file has its bytes");
  expect(std::string_view(static_cast<const char *>(bytes), size) == "latin\n", "and they are right");
  expect(view(memarchive_file_name(kept.get())) == "caf\xe9.txt", "and its name");

  try {
    open(directory + "/none.zip");
    expect(false, "an archive that is not there is an exception");
  } catch (const Failure &failure) {
    expect(failure.code == MEMARCHIVE_SYSTEM, "of the system's");
    expect(std::string_view(failure.what()).find("none.zip") != std::string_view::npos, "which names it");
  }

  memarchive_stream *begun = nullptr;
  check(memarchive_stream_new, archive.get(), &begun);
  const Stream stream(begun);
  const memarchive_entry *entry = nullptr;
  check(memarchive_stream_next, stream.get(), &entry);
  Collector collector;
  try {
    check(memarchive_stream_blocks, stream.get(), &Collector::take, static_cast<void *>(&collector), nullptr);
    expect(false, "a callback that failed is a failure");
  } catch (const Failure &failure) {
    expect(failure.code == MEMARCHIVE_CALLBACK_FAILED, "with a code of its own");
  }
  try {
    std::rethrow_exception(collector.failure);
  } catch (const std::length_error &) {
    expect(collector.content.size() == 600, "the exception is the callback's");
  }

  std::vector<std::thread> threads;
  for (int number = 0; number < 4; number++) {
    threads.emplace_back([&archive] {
      for (int round = 0; round < 5; round++) expect(memarchive_files_count(extract(archive).get()) == 5, "five files");
    });
  }
  for (std::thread &thread : threads) thread.join();
  std::cout << "raii: owners, exceptions, threads\n";
}
