/* Six bits a digit. */
#include "compute-agent/storage/base64.h"
#include <ctype.h>
#include <string.h>

bool base64_decode(const char *text, struct strbuf *ret)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned bits = 0, count = 0, padding = 0;
    for (; *text; text++) {
        if (isspace((unsigned char)*text))
            continue;
        const char *at = strchr(digits, *text);
        if (*text == '=') {
            padding++;
            continue;
        }
        if (!at || padding)
            return false;
        bits = bits << 6 | (unsigned)(at - digits);
        if (++count % 4 == 0) {
            strbuf_append_char(ret, (char)(bits >> 16));
            strbuf_append_char(ret, (char)(bits >> 8));
            strbuf_append_char(ret, (char)bits);
            bits = 0;
        }
    }
    if (count % 4 == 1 || padding > 2 || (padding && (count + padding) % 4))
        return false;
    if (count % 4 == 2)
        strbuf_append_char(ret, (char)(bits >> 4));
    if (count % 4 == 3) {
        strbuf_append_char(ret, (char)(bits >> 10));
        strbuf_append_char(ret, (char)(bits >> 2));
    }
    return ret->error == 0;
}
