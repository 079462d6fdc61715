/* Is a text UTF-8? Pure; any thread. */
#ifndef WARREN_BASE_UTF8_H
#define WARREN_BASE_UTF8_H

#include "base/slice.h"

/* As Unicode says: no overlong forms, no surrogates, nothing above U+10FFFF. The empty text is. */
bool utf8_is_valid(struct slice text);

#endif
