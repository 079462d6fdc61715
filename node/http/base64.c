#include "node/http/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buf *out, struct slice bytes)
{
    for (size_t at = 0; at < bytes.size; at += 3) {
        size_t left = bytes.size - at;
        uint32_t bits = (uint32_t)bytes.data[at] << 16 | (left > 1 ? (uint32_t)bytes.data[at + 1] << 8 : 0) |
                        (left > 2 ? bytes.data[at + 2] : 0);
        char four[4] = {digits[bits >> 18], digits[bits >> 12 & 63], left > 1 ? digits[bits >> 6 & 63] : '=',
                        left > 2 ? digits[bits & 63] : '='};
        buf_put(out, four, sizeof four);
    }
}

static int value_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_decode(struct buf *out, struct slice text)
{
    if (text.size % 4) return false;
    for (size_t at = 0; at < text.size; at += 4) {
        unsigned padding = 0;
        uint32_t bits = 0;
        for (unsigned i = 0; i < 4; i++) {
            uint8_t c = text.data[at + i];
            bool may_pad = at + 4 == text.size && i >= 2;
            int value = c == '=' && may_pad ? 0 : value_of(c);
            if (value < 0 || (padding && c != '=')) return false;
            padding += c == '=';
            bits = bits << 6 | (uint32_t)value;
        }
        uint8_t three[3] = {(uint8_t)(bits >> 16), (uint8_t)(bits >> 8), (uint8_t)bits};
        buf_put(out, three, 3 - padding);
    }
    return true;
}
