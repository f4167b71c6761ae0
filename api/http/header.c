/* Small readers of header values. A list is walked element by element: "name;parameter=value, name2" without
 * allocation. */
#include "api/http/header.h"
#include "common/uuid.h"
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define HEADER_SPACE " \t"

struct header_item {
    const char *name;
    size_t size;
    const char *parameters; /* what follows the first semicolon */
    size_t parameters_size;
};

/* The next element of a comma-separated list; false at the end. */
static bool header_next(const char **at, struct header_item *ret)
{
    *at += strspn(*at, HEADER_SPACE ",");
    if (!**at)
        return false;
    size_t size = strcspn(*at, ","), name = 0;
    while (name < size && (*at)[name] != ';')
        name++;
    *ret = (struct header_item){.name = *at, .size = name, .parameters = *at + name, .parameters_size = size - name};
    while (ret->size && strchr(HEADER_SPACE, ret->name[ret->size - 1]))
        ret->size--;
    *at += size;
    return true;
}

static bool header_item_is(const struct header_item *item, const char *name)
{
    return item->size == strlen(name) && !strncasecmp(item->name, name, item->size);
}

static bool header_item_starts(const struct header_item *item, const char *start)
{
    return item->size >= strlen(start) && !strncasecmp(item->name, start, strlen(start));
}

static bool header_item_ends(const struct header_item *item, const char *end)
{
    size_t size = strlen(end);
    return item->size >= size && !strncasecmp(item->name + item->size - size, end, size);
}

/* The value of parameter `name` of an element; NULL when absent. */
static const char *header_parameter(const struct header_item *item, const char *name, size_t *ret_size)
{
    const char *at = item->parameters, *end = at + item->parameters_size;
    while (at < end) {
        while (at < end && strchr("; \t", *at))
            at++;
        const char *next = at;
        while (next < end && *next != ';')
            next++;
        const char *equals = memchr(at, '=', (size_t)(next - at));
        if (equals && (size_t)(equals - at) == strlen(name) && !strncasecmp(at, name, strlen(name))) {
            const char *value = equals + 1;
            while (next > value && strchr(HEADER_SPACE "\"", next[-1]))
                next--;
            while (value < next && *value == '"')
                value++;
            *ret_size = (size_t)(next - value);
            return value;
        }
        at = next;
    }
    return NULL;
}

/* q=0, q=0.0, q=0.000: not wanted. */
static bool header_refused(const struct header_item *item)
{
    size_t size = 0;
    const char *q = header_parameter(item, "q", &size);
    return q && size && strspn(q, "0.") >= size;
}

bool header_accepts_json(const char *accept)
{
    if (!accept || !strcmp(accept, "application/json") || !strcmp(accept, "*/*"))
        return true;
    struct header_item item;
    bool any = false;
    while (header_next(&accept, &item)) {
        any = true;
        bool fits = header_item_is(&item, "*/*") || header_item_is(&item, "*") ||
                    header_item_is(&item, "application/*") || header_item_is(&item, "application/json") ||
                    header_item_is(&item, "text/plain") ||
                    (header_item_starts(&item, "application/") && header_item_ends(&item, "json"));
        if (fits && !header_refused(&item))
            return true;
    }
    return !any;
}

bool header_accepts_gzip(const char *accept_encoding)
{
    bool star = false;
    struct header_item item;
    while (accept_encoding && header_next(&accept_encoding, &item)) {
        if (header_item_is(&item, "gzip") || header_item_is(&item, "x-gzip"))
            return !header_refused(&item);
        if (header_item_is(&item, "*"))
            star = !header_refused(&item);
    }
    return star;
}

enum header_media header_read_media(const char *content_type)
{
    struct header_item item;
    if (!content_type || !header_next(&content_type, &item))
        return HEADER_MEDIA_NONE;
    if (header_item_is(&item, "application/json")) {
        size_t size = 0;
        const char *charset = header_parameter(&item, "charset", &size);
        bool utf8 = !charset || (size == 5 && !strncasecmp(charset, "utf-8", 5)) ||
                    (size == 4 && !strncasecmp(charset, "utf8", 4)) ||
                    (size == 8 && !strncasecmp(charset, "us-ascii", 8));
        return utf8 ? HEADER_MEDIA_JSON : HEADER_MEDIA_OTHER;
    }
    if (header_item_ends(&item, "+json") || header_item_ends(&item, "-json-patch"))
        return HEADER_MEDIA_JSONS;
    return HEADER_MEDIA_OTHER;
}

/* Digits up to the first other character; -1 without any or past 18 of them. */
static int64_t header_read_number(const char **at)
{
    const char *start = *at;
    int64_t value = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        if (*at - start >= 18)
            return -1;
        value = value * 10 + (**at - '0');
    }
    return *at == start ? -1 : value;
}

static bool header_at_end(const char *at)
{
    return !at[strspn(at, HEADER_SPACE)];
}

enum header_range header_read_range(const char *range, int64_t size, int64_t *ret_from, int64_t *ret_bytes)
{
    if (!range || strncasecmp(range, "bytes=", 6) != 0 || strchr(range, ','))
        return HEADER_RANGE_NONE;
    const char *at = range + 6 + strspn(range + 6, HEADER_SPACE);
    int64_t from, last;
    if (*at == '-') { /* the last n bytes */
        at++;
        int64_t count = header_read_number(&at);
        if (count < 0 || !header_at_end(at))
            return HEADER_RANGE_NONE;
        if (!count || !size)
            return HEADER_RANGE_BAD;
        from = count < size ? size - count : 0;
        last = size - 1;
    } else {
        from = header_read_number(&at);
        if (from < 0 || *at++ != '-')
            return HEADER_RANGE_NONE;
        bool open = header_at_end(at);
        last = open ? size - 1 : header_read_number(&at);
        if (!open && (last < from || !header_at_end(at)))
            return HEADER_RANGE_NONE;
        if (from >= size)
            return HEADER_RANGE_BAD;
        if (last >= size)
            last = size - 1;
    }
    *ret_from = from;
    *ret_bytes = last - from + 1;
    return HEADER_RANGE_GIVEN;
}

bool header_is_request_id(const char *text)
{
    return text && !strncmp(text, "req-", 4) && strlen(text) == 4 + UUID_SIZE - 1 && uuid_valid(text + 4);
}

int64_t header_read_length(const char *text)
{
    int64_t value = text ? header_read_number(&text) : -1;
    return value >= 0 && header_at_end(text) ? value : -1;
}

bool header_is_key(const char *text)
{
    size_t size = text ? strlen(text) : 0;
    for (size_t i = 0; i < size; i++)
        if (text[i] < 0x20 || text[i] > 0x7e)
            return false;
    return size >= 1 && size <= 255;
}

/* The text up to `end` without blanks. False when it is longer than an address or a prefix can be. */
static bool header_copy_part(const char *text, const char *end, char *ret, size_t size)
{
    while (text < end && (*text == ' ' || *text == '\t'))
        text++;
    while (end > text && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    if ((size_t)(end - text) >= size)
        return false;
    memcpy(ret, text, (size_t)(end - text));
    ret[end - text] = '\0';
    return true;
}

static bool header_is_proxy(const char *proxies, const struct ip *address)
{
    for (const char *at = proxies; at != NULL && *at != '\0';) {
        const char *end = at + strcspn(at, ",");
        char text[IP_NET_TEXT_SIZE];
        struct ip_net net;
        if (header_copy_part(at, end, text, sizeof(text)) && ip_net_parse(text, &net) && ip_net_contains(&net, address))
            return true;
        at = *end == ',' ? end + 1 : end;
    }
    return false;
}

void header_read_client(const char *from, const char *forwarded, const char *proxies, char ret[IP_TEXT_SIZE])
{
    struct ip address;
    const char *end = forwarded != NULL ? forwarded + strlen(forwarded) : NULL;
    snprintf(ret, IP_TEXT_SIZE, "%s", from);
    while (end != NULL && ip_parse(ret, &address) && header_is_proxy(proxies, &address)) {
        const char *begin = end;
        char text[IP_TEXT_SIZE];
        while (begin > forwarded && begin[-1] != ',')
            begin--;
        if (!header_copy_part(begin, end, text, sizeof(text)) || !ip_parse(text, &address))
            return;
        ip_text(&address, ret);
        end = begin > forwarded ? begin - 1 : NULL;
    }
}
