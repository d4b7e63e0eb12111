/* FreeType's headers are named by macros, which a module map cannot say. */
#include <ft2build.h>
#include FT_FREETYPE_H
