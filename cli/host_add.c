/* virga host add: prints one-time tokens with which hosts join. Only their SHA-256 is kept. */
#include "cli/commands.h"
#include "cli/host_find.h"
#include "cli/pki.h"
#include "common/clock.h"
#include "db/store_host.h"
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define SECRET_BYTES  24
#define TOKEN_LIFE_US (3600 * CLOCK_SECOND_US)
#define COUNT_MOST    100000
#define DEFAULT_ZONE  "nova"

static const struct command_option options[] = {
    {"zone", "ZONE", "Availability zone of the host. Default: nova."},
    {"count", "N", "Print N tokens, for hosts NAME-1 to NAME-N."},
    {"revoke", NULL, "Take back the tokens of that name, or NAME-number, that no host has used yet."},
};

struct token {
    char secret[SECRET_BYTES * 2 + 1], hash[crypto_hash_sha256_BYTES * 2 + 1];
    const char *name;
};
struct add {
    struct token *tokens;
    size_t count;
    const char *zone;
};

static void make(struct token *t)
{
    unsigned char secret[SECRET_BYTES], digest[crypto_hash_sha256_BYTES];
    randombytes_buf(secret, sizeof(secret));
    sodium_bin2hex(t->secret, sizeof(t->secret), secret, sizeof(secret));
    crypto_hash_sha256(digest, (const unsigned char *)t->secret, strlen(t->secret));
    sodium_bin2hex(t->hash, sizeof(t->hash), digest, sizeof(digest));
}

static int insert(struct db_conn *c, void *arg, struct error *e)
{
    const struct add *x = arg;
    int64_t now_us = clock_now_us();
    int rc = store_host_token_purge(c, now_us, e);
    for (size_t i = 0; !rc && i < x->count; i++) {
        rc = store_host_token_insert(c, x->tokens[i].hash, x->tokens[i].name, x->zone, now_us, now_us + TOKEN_LIFE_US,
                                     e);
    }
    return rc;
}

static int write_rows(struct cli *cli, struct add *x, struct error *e)
{
    struct db_conn *c = NULL;
    int rc = command_open(cli, false, e);
    rc = rc ? rc : db_conn_open(cli->db, &c, e);
    rc = rc ? rc : db_transact(c, insert, x, e);
    db_conn_close(&c);
    return rc;
}

static bool is_name(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t size = strlen(text);
    return size >= 1 && size <= 200 && strspn(text, allowed) == size && text[0] != '-' && text[0] != '.';
}

static int revoke(struct db_conn *c, void *arg, struct error *e)
{
    struct cli *cli = arg;
    int64_t count = 0;
    int rc = store_host_token_revoke(c, cli->arguments[0], &count, e);
    if (!rc && count == 0)
        return error_set(e, ERR_NOT_FOUND, "no token of that name waits for a host");
    if (!rc)
        printf("%lld tokens taken back\n", (long long)count);
    return rc;
}

static int run(struct cli *cli, struct error *e)
{
    if (command_flag(cli, "revoke"))
        return host_find_change(cli, revoke, cli, e);
    const char *name = cli->arguments[0], *zone = command_value(cli, "zone");
    char fingerprint[PKI_FINGERPRINT_SIZE];
    struct add x = {.zone = zone ? zone : DEFAULT_ZONE};
    int64_t count;
    int rc = command_number(cli, "count", 1, COUNT_MOST, 0, &count, e);
    if (!rc && (!is_name(name) || !is_name(x.zone)))
        rc = error_set(e, ERR_INVALID, "NAME and ZONE have 1 to 200 characters: letters, digits, . _ and -");
    rc = rc ? rc : pki_fingerprint(command_place(cli, "/etc/virga/pki"), fingerprint, e);
    if (rc) {
        return rc;
    }
    x.count = count ? (size_t)count : 1;
    x.tokens = arena_array(&cli->arena, x.count, sizeof(*x.tokens));
    for (size_t i = 0; i < x.count; i++) {
        make(&x.tokens[i]);
        x.tokens[i].name = count ? arena_printf(&cli->arena, "%s-%zu", name, i + 1) : name;
    }
    rc = write_rows(cli, &x, e);
    for (size_t i = 0; !rc && i < x.count; i++) {
        printf("%s.%s\n", x.tokens[i].secret, fingerprint);
    }
    return rc;
}

const struct command host_add_command = {
    .name = "host add",
    .arguments = "NAME",
    .summary = "Print a one-time token with which a host of that name joins",
    .help = "On the new machine: virga-agent --join https://CONTROLLER:8775 --token TOKEN. A token is good for one "
            "hour and one host. "
            "It carries the fingerprint of the cloud's CA, so that the host cannot join somebody else by mistake.",
    COMMAND_OPTIONS(options),
    .run = run,
};
