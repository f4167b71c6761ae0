/* What request headers say, as far as we must understand them. Pure; every text may be NULL (the header is absent). */
#pragma once
#include "common/model/ip.h"
#include <stdbool.h>
#include <stdint.h>

/* Accept lets us answer with application/json. Lenient as the reference is: absent, empty, wildcards and text/plain do;
 * q=0 refuses. */
bool header_accepts_json(const char *accept);
/* Accept-Encoding asks for gzip (RFC 9110, section 12.5.3). */
bool header_accepts_gzip(const char *accept_encoding);

enum header_media {
    HEADER_MEDIA_NONE,  /* no Content-Type */
    HEADER_MEDIA_JSON,  /* application/json, with any parameters but a charset other than UTF-8 */
    HEADER_MEDIA_JSONS, /* another kind of JSON: "...+json", "...-json-patch" */
    HEADER_MEDIA_OTHER,
};
enum header_media header_read_media(const char *content_type);

enum header_range { HEADER_RANGE_NONE, HEADER_RANGE_GIVEN, HEADER_RANGE_BAD };
/* One range of bytes of something of `size` bytes (RFC 9110, section 14.2). NONE when there is none, it is not
 * understood, or there are several (then the whole is sent); BAD when it lies outside (416). On GIVEN *ret_from and
 * *ret_bytes (at least 1) say which. */
enum header_range header_read_range(const char *range, int64_t size, int64_t *ret_from, int64_t *ret_bytes);

/* "req-" and a UUID with dashes. */
bool header_is_request_id(const char *text);
/* Content-Length as a number; -1 when it is not one. */
int64_t header_read_length(const char *text);
/* An idempotency key: 1 to 255 printable ASCII characters. */
bool header_is_key(const char *text);

/* Who the client is that came through proxies: `from` unless that is one of `proxies` (addresses and prefixes with
 * commas between them), else the last one in `forwarded` ("client, proxy": X-Forwarded-For) that is none. What is no
 * address ends the search at the one behind it. */
void header_read_client(const char *from, const char *forwarded, const char *proxies, char ret[IP_TEXT_SIZE]);
