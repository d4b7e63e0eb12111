#if !__has_include(<zstd.h>)
#error "<zstd.h> is missing: apt-get install libzstd-dev, or take MemArchive without its trait FastDecoders"
#endif
#include <zstd.h>
#include <zstd_errors.h>
