#include "base/utf8.h"

#define NOT_ASCII UINT64_C(0x8080808080808080)

/* Bytes of the character that begins here; 0: none does. The second byte's range tells overlong forms, surrogates and
 * what is above U+10FFFF (Unicode standard, table 3-7). */
static size_t character_size(const uint8_t *at, const uint8_t *end)
{
    uint8_t low = 0x80, high = 0xbf;
    size_t size = at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : at[0] < 0xf5 ? 4 : 0;
    if (!size || (size_t)(end - at) < size) return 0;
    if (at[0] == 0xe0) low = 0xa0;
    if (at[0] == 0xed) high = 0x9f;
    if (at[0] == 0xf0) low = 0x90;
    if (at[0] == 0xf4) high = 0x8f;
    if (at[1] < low || at[1] > high) return 0;
    for (size_t i = 2; i < size; i++)
        if ((at[i] & 0xc0) != 0x80) return 0;
    return size;
}

bool utf8_is_valid(struct slice text)
{
    const uint8_t *at = text.data, *end = at + text.size;
    while (at < end) {
        uint64_t eight;
        if (end - at >= (ptrdiff_t)sizeof eight) { /* nearly all names are ASCII */
            memcpy(&eight, at, sizeof eight);
            if (!(eight & NOT_ASCII)) {
                at += sizeof eight;
                continue;
            }
        }
        size_t size = *at < 0x80 ? 1 : character_size(at, end);
        if (!size) return false;
        at += size;
    }
    return true;
}
