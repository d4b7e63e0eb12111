#if !__has_include(<lz4frame.h>)
#error "<lz4frame.h> is missing: apt-get install liblz4-dev"
#endif
#include <lz4.h>
#include <lz4frame.h>
