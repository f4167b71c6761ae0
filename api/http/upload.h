/* A body on its way into a file: written as it comes, hashed on the way, synced at the end, removed unless somebody
 * renamed it. One thread at a time. */
#pragma once
#include "common/error.h"
#include <stdint.h>

struct upload;

/* A new file in `dir` that takes up to `limit` bytes. 0, ERR_IO, ERR_NO_SPACE. */
int upload_new(const char *dir, int64_t limit, struct upload **ret, struct error *e);
/* Removes the file where it was written; a renamed one stays. NULL is fine. */
void upload_free(struct upload **u);
/* 0; ERR_TOO_LARGE; ERR_NO_SPACE; ERR_IO. After a failure the upload is only good for upload_free. */
int upload_write(struct upload *u, const void *data, size_t size, struct error *e);
/* Syncs the file to disk and closes the hashes; the functions below answer from then on. May take seconds. */
int upload_finish(struct upload *u, struct error *e);
const char *upload_path(const struct upload *u);
int64_t upload_size(const struct upload *u);
const char *upload_sha512(const struct upload *u); /* hex */
const char *upload_md5(const struct upload *u);    /* hex */

/* Removes what a killed process left in `dir`; files of living processes are locked and stay. Makes the directory. 0 or
 * ERR_IO. */
int upload_sweep(const char *dir, struct error *e);
