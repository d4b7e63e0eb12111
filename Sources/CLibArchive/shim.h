#if !__has_include(<archive.h>)
#error "<archive.h> is missing: apt-get install libarchive-dev"
#endif
#include <archive.h>
#include <archive_entry.h>
