/* The password of a hypervisor that asks for one, from its file. Any thread. */
#pragma once
#include "common/error.h"
#include "common/strbuf.h"

/* Appends the file's first line, without its end, to `ret`, which the caller wipes with password_done. */
int password_read(const char *path, struct strbuf *ret, struct error *e);
void password_done(struct strbuf *password);
