/* The token parser: nothing that was not issued is believed. Mutations of an issued token that change nothing (none
 * should exist but the token itself) would be found as well. */
#include "api/identity/token.h"
#include "common/log.h"
#include "common/seal.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct token_keys *keys;
static char issued[TOKEN_SIZE];

static void must(int rc, const struct error *e)
{
    if (!rc)
        return;
    fprintf(stderr, "token_fuzz: %s\n", error_text(e));
    abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    char folder[200], path[220], database[220];
    struct error e = {0};
    struct db *db;
    struct credential c = {.user_id = "0123456789abcdef0123456789abcdef", .roles = ROLE_ADMIN, .system = true};
    log_init("token_fuzz", NULL, LOG_LEVEL_ERROR);
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof(folder), "%s/token_fuzz.XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(folder))
        abort();
    snprintf(path, sizeof(path), "%s/key", folder);
    must(seal_key_create(path, &e), &e);
    snprintf(database, sizeof(database), "%s/db", folder);
    must(db_open(database, 0, &db, &e), &e);
    must(token_keys_new(db, path, &keys, &e), &e);
    c.issued_us = clock_now_us();
    c.expires_us = c.issued_us + TOKEN_LIFE_MAX_US;
    token_audit_id(c.audit_id);
    must(token_issue(keys, &c, issued, &e), &e);
    return 0;
}

/* The input as it is, and the issued token with a byte changed, cut or added as the input says. */
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct credential c = {0};
    struct error e = {0};
    char *text = strndup((const char *)data, size), changed[TOKEN_SIZE + 1];
    assert(token_verify(keys, text, clock_now_us(), &c, &e) || !strcmp(text, issued));
    free(text);
    if (size < 3)
        return 0;
    size_t at = (size_t)(data[0] | data[1] << 8) % (strlen(issued) + 1);
    memcpy(changed, issued, sizeof(issued));
    changed[at] = (char)data[2];
    if (at == strlen(issued))
        changed[at + 1] = 0;
    assert(token_verify(keys, changed, clock_now_us(), &c, &e) || !strcmp(changed, issued));
    return 0;
}
