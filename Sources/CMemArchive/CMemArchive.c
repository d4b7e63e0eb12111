// The layout of what callers allocate or read, for as long as MEMARCHIVE_0 lasts: fields are only ever added at an end.
#include "memarchive.h"

#define AT(type, field, offset) _Static_assert(offsetof(type, field) == (offset), #type "." #field " has moved")

AT(memarchive_text, length, 8);
AT(memarchive_error, code_name, 8);
AT(memarchive_error, entry, 16);
AT(memarchive_error, reason, 32);
AT(memarchive_error, message, 56);
AT(memarchive_error, path, 64);
AT(memarchive_progress, entry, 24);
AT(memarchive_options, sandbox, 8);
AT(memarchive_options, mode, 32);
AT(memarchive_options, keep_outward_links, 64);
AT(memarchive_options, timeout_milliseconds, 72);
AT(memarchive_options, limit_ratio, 136);
AT(memarchive_options, passphrases, 144);
AT(memarchive_options, cancellation, 192);
AT(memarchive_source, size, 24);
AT(memarchive_entry, kind, 48);
AT(memarchive_entry, modified, 72);
AT(memarchive_entry, user_id, 136);
AT(memarchive_entry, compression, 200);
AT(memarchive_entry, is_safe_relative, 224);
AT(memarchive_warning, text, 24);
AT(memarchive_listing, protection, 64);
AT(memarchive_listing, comment, 72);
AT(memarchive_selection, excluded_count, 48);
AT(memarchive_feature, is_available, 16);
AT(memarchive_platform, features, 40);
