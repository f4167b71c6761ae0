/* Identifiers. Servers, ports, hosts ... are time-ordered UUIDs (RFC 9562 version 7), so that new rows go to the end of
 * their index; identity's are 32 hex digits as Keystone's are. */
#pragma once
#include <stdbool.h>

#define UUID_SIZE     37 /* with the terminator */
#define UUID_HEX_SIZE 33

/* Each writes into `ret` and returns it; any thread. */
char *uuid_ordered(char ret[UUID_SIZE]);
char *uuid_random(char ret[UUID_SIZE]);
char *uuid_hex(char ret[UUID_HEX_SIZE]);
/* 36 characters, hex and dashes in their places (any version), or 32 hex digits. */
bool uuid_valid(const char *text);
