/* What containers may send (senders.h), as rules of the host's packet filter where the hypervisor's own filters would
 * take a third of a second at each start. A table per host of a cloud; in it a chain for each guarded port, found by
 * the name of the port's end on the host, through which all goes that comes from there. Each function appends commands
 * for nft.h that may be repeated. Pure. */
#pragma once
#include "common/strbuf.h"
#include "compute-agent/names.h"
#include "compute-agent/spec.h"

/* First of all: the table, with the ports that it has. */
void port_guard_table(struct strbuf *s, const struct names *names);
/* All nics of the server with port security, after a comment that port_guard_next reads; "" when there is none. */
void port_guard_put(struct strbuf *s, const struct names *names, const struct spec *spec);
/* The ports that port_guard_put has put, one after the other: `at` starts as that text and moves on. False at the end.
 */
bool port_guard_next(const char **at, char ret[NAMES_BRIDGE_SIZE]);
/* `wanted`, and of `had` what concerns ports that `wanted` has not. */
void port_guard_join(struct strbuf *s, const char *had, const char *wanted);
/* The port, guarded or not, is not any more. */
void port_guard_take(struct strbuf *s, const struct names *names, const char *port);
/* A command that tells which ports are guarded; port_guard_has finds one in the answer. */
void port_guard_ask(struct strbuf *s, const struct names *names);
bool port_guard_has(const char *answer, const char *port);
/* All of it goes. */
void port_guard_end(struct strbuf *s, const struct names *names);
