/* The kernel's packet filter, by nftables' own library. */
#pragma once
#include "common/error.h"
#include "common/strbuf.h"

/* Carries out commands as nft(8) takes them: all in one transaction, or none. Any thread; blocks for some milliseconds.
 * ERR_IO with the first line of what was wrong. */
int nft_run(const char *commands, struct error *e);
/* The same with commands that tell something: appended to `ret`. */
int nft_ask(const char *commands, struct strbuf *ret, struct error *e);
