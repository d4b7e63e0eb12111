#if !__has_include(<bzlib.h>)
#error "<bzlib.h> is missing: apt-get install libbz2-dev"
#endif
#include <bzlib.h>
