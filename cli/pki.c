/* The cloud's own certificates. Each file is replaced as a whole, key before certificate; whatever a crash left out is
 * made by the next run. */
#include "cli/pki.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/strbuf.h"
#include <arpa/inet.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define YEAR_SECONDS    ((time_t)31557600)
#define PKI_SERVER_NAME "virga-api" /* what agents check, whatever address they use */

struct pair {
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t crt;
};

static int fail(struct error *e, const char *what, int code)
{
    return error_set(e, ERR_INTERNAL, "%s: %s", what, gnutls_strerror(code));
}

static void pair_done(struct pair *pair)
{
    if (pair->crt)
        gnutls_x509_crt_deinit(pair->crt);
    if (pair->key)
        gnutls_x509_privkey_deinit(pair->key);
    *pair = (struct pair){0};
}

static bool exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

static const char *path_in(char ret[4096], const char *folder, const char *name)
{
    snprintf(ret, 4096, "%s/%s", folder, name);
    return ret;
}

static int read_datum(const char *path, struct strbuf *buf, gnutls_datum_t *ret, struct error *e)
{
    strbuf_init(buf, 1 << 20);
    int rc = file_read(path, buf, e);
    *ret = (gnutls_datum_t){.data = (unsigned char *)buf->data, .size = (unsigned)buf->size};
    return rc;
}

static int load_key(const char *path, gnutls_x509_privkey_t *ret, struct error *e)
{
    struct strbuf buf;
    gnutls_datum_t datum;
    int rc = read_datum(path, &buf, &datum, e), code = 0;
    if (!rc && ((code = gnutls_x509_privkey_init(ret)) ||
                (code = gnutls_x509_privkey_import(*ret, &datum, GNUTLS_X509_FMT_PEM))))
        rc = fail(e, path, code);
    strbuf_done(&buf);
    return rc;
}

static int load_crt(const char *path, gnutls_x509_crt_t *ret, struct error *e)
{
    struct strbuf buf;
    gnutls_datum_t datum;
    int rc = read_datum(path, &buf, &datum, e), code = 0;
    if (!rc &&
        ((code = gnutls_x509_crt_init(ret)) || (code = gnutls_x509_crt_import(*ret, &datum, GNUTLS_X509_FMT_PEM))))
        rc = fail(e, path, code);
    strbuf_done(&buf);
    return rc;
}

/* Loads the key, or makes and stores one. */
static int ensure_key(const char *path, gnutls_x509_privkey_t *ret, struct error *e)
{
    gnutls_datum_t pem = {0};
    if (exists(path))
        return load_key(path, ret, e);
    int code = gnutls_x509_privkey_init(ret);
    if (!code)
        code = gnutls_x509_privkey_generate(*ret, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    if (!code)
        code = gnutls_x509_privkey_export2_pkcs8(*ret, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem);
    if (code)
        return fail(e, path, code);
    int rc = file_replace(path, pem.data, pem.size, 0600, e);
    gnutls_memset(pem.data, 0, pem.size);
    gnutls_free(pem.data);
    return rc;
}

static int store_crt(const char *path, gnutls_x509_crt_t crt, struct error *e)
{
    gnutls_datum_t pem = {0};
    int code = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem);
    if (code)
        return fail(e, path, code);
    int rc = file_replace(path, pem.data, pem.size, 0644, e);
    gnutls_free(pem.data);
    return rc;
}

/* What both certificates have: version, serial number, times, name. */
static int common_fields(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const char *name, time_t years)
{
    unsigned char serial[16];
    time_t now = time(NULL);
    int code = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial));
    serial[0] &= 0x7f; /* positive */
    if (!code)
        code = gnutls_x509_crt_set_version(crt, 3);
    if (!code)
        code = gnutls_x509_crt_set_serial(crt, serial, sizeof(serial));
    if (!code)
        code = gnutls_x509_crt_set_activation_time(crt, now - 3600);
    if (!code)
        code = gnutls_x509_crt_set_expiration_time(crt, now + years * YEAR_SECONDS);
    if (!code)
        code = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)strlen(name));
    return code ? code : gnutls_x509_crt_set_key(crt, key);
}

static int key_id(gnutls_x509_crt_t crt, gnutls_x509_crt_t issuer)
{
    unsigned char id[64];
    size_t size = sizeof(id);
    int code = gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA1, id, &size);
    if (!code)
        code = gnutls_x509_crt_set_subject_key_id(crt, id, size);
    size = sizeof(id);
    if (!code)
        code = gnutls_x509_crt_get_key_id(issuer, GNUTLS_KEYID_USE_SHA1, id, &size);
    return code ? code : gnutls_x509_crt_set_authority_key_id(crt, id, size);
}

static int ensure_ca(const char *folder, struct pair *ret, struct error *e)
{
    char key_path[4096], crt_path[4096], name[64];
    unsigned char random[4];
    int rc = ensure_key(path_in(key_path, folder, "ca.key"), &ret->key, e);
    if (rc)
        return rc;
    if (exists(path_in(crt_path, folder, "ca.pem")))
        return load_crt(crt_path, &ret->crt, e);
    int code = gnutls_rnd(GNUTLS_RND_NONCE, random, sizeof(random));
    snprintf(name, sizeof(name), "Virga CA %02x%02x%02x%02x", random[0], random[1], random[2], random[3]);
    if (!code)
        code = gnutls_x509_crt_init(&ret->crt);
    if (!code)
        code = common_fields(ret->crt, ret->key, name, 20);
    if (!code)
        code = gnutls_x509_crt_set_basic_constraints(ret->crt, 1, 0);
    if (!code)
        code = gnutls_x509_crt_set_key_usage(ret->crt, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN);
    if (!code)
        code = key_id(ret->crt, ret->crt);
    if (!code)
        code = gnutls_x509_crt_sign2(ret->crt, ret->crt, ret->key, GNUTLS_DIG_SHA256, 0);
    return code ? fail(e, crt_path, code) : store_crt(crt_path, ret->crt, e);
}

static int add_name(gnutls_x509_crt_t crt, const char *name)
{
    unsigned char address[16];
    if (inet_pton(AF_INET, name, address) == 1)
        return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, address, 4, GNUTLS_FSAN_APPEND);
    if (inet_pton(AF_INET6, name, address) == 1)
        return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, address, 16, GNUTLS_FSAN_APPEND);
    return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name),
                                                GNUTLS_FSAN_APPEND);
}

#define NAMES_MAX 64
struct names {
    const char *items[NAMES_MAX];
    size_t count;
    char host[256];
};

static void collect_names(struct names *all, const char *const *given, size_t count)
{
    *all = (struct names){.items = {PKI_SERVER_NAME, "localhost", "127.0.0.1", "::1"}, .count = 4};
    if (gethostname(all->host, sizeof(all->host) - 1) == 0 && *all->host)
        all->items[all->count++] = all->host;
    for (size_t i = 0; i < count && all->count < NAMES_MAX; i++)
        all->items[all->count++] = given[i];
}

/* Whether the certificate there is signed by this CA, lives on and has all the given names (the machine's own may have
 * changed). */
static bool serves(const char *path, const struct pair *ca, const char *const *given, size_t count)
{
    gnutls_x509_crt_t crt = NULL;
    struct error ignored = {0};
    bool good = exists(path) && load_crt(path, &crt, &ignored) == 0 && gnutls_x509_crt_check_issuer(crt, ca->crt) &&
                gnutls_x509_crt_get_expiration_time(crt) > time(NULL) + YEAR_SECONDS / 12 &&
                gnutls_x509_crt_check_hostname(crt, PKI_SERVER_NAME);
    for (size_t i = 0; good && i < count; i++)
        good = gnutls_x509_crt_check_hostname(crt, given[i]);
    if (crt)
        gnutls_x509_crt_deinit(crt);
    return good;
}

static int make_server(const char *path, const struct pair *ca, const struct names *names, struct pair *server,
                       struct error *e)
{
    int code = gnutls_x509_crt_init(&server->crt);
    if (!code)
        code = common_fields(server->crt, server->key, "Virga API for agents", 10);
    for (size_t i = 0; !code && i < names->count; i++)
        code = add_name(server->crt, names->items[i]);
    if (!code)
        code = gnutls_x509_crt_set_basic_constraints(server->crt, 0, -1);
    if (!code)
        code = gnutls_x509_crt_set_key_usage(server->crt, GNUTLS_KEY_DIGITAL_SIGNATURE);
    if (!code)
        code = gnutls_x509_crt_set_key_purpose_oid(server->crt, GNUTLS_KP_TLS_WWW_SERVER, 0);
    if (!code)
        code = key_id(server->crt, ca->crt);
    if (!code)
        code = gnutls_x509_crt_sign2(server->crt, ca->crt, ca->key, GNUTLS_DIG_SHA256, 0);
    return code ? fail(e, path, code) : store_crt(path, server->crt, e);
}

int pki_ensure(const char *folder, const char *const *given, size_t count, struct error *e)
{
    char path[4096];
    struct pair ca = {0}, server = {0};
    struct names names;
    collect_names(&names, given, count);
    int rc = file_make_dirs(folder, 0755, e);
    if (!rc)
        rc = ensure_ca(folder, &ca, e);
    if (!rc)
        rc = ensure_key(path_in(path, folder, "agents.key"), &server.key, e);
    if (!rc && !serves(path_in(path, folder, "agents.pem"), &ca, given, count))
        rc = make_server(path, &ca, &names, &server, e);
    pair_done(&server);
    pair_done(&ca);
    return rc;
}

int pki_fingerprint(const char *folder, char ret[PKI_FINGERPRINT_SIZE], struct error *e)
{
    char path[4096];
    unsigned char digest[32];
    size_t size = sizeof(digest);
    gnutls_x509_crt_t crt = NULL;
    int rc = load_crt(path_in(path, folder, "ca.pem"), &crt, e);
    if (!rc && gnutls_x509_crt_get_fingerprint(crt, GNUTLS_DIG_SHA256, digest, &size))
        rc = error_set(e, ERR_CORRUPT, "%s has no fingerprint", path);
    for (size_t i = 0; !rc && i < sizeof(digest); i++)
        snprintf(ret + 2 * i, 3, "%02x", digest[i]);
    if (crt)
        gnutls_x509_crt_deinit(crt);
    return rc;
}

int pki_expiry(const char *folder, const char *name, int64_t *ret_us, struct error *e)
{
    char path[4096];
    gnutls_x509_crt_t crt = NULL;
    int rc = load_crt(path_in(path, folder, name), &crt, e);
    if (!rc)
        *ret_us = (int64_t)gnutls_x509_crt_get_expiration_time(crt) * CLOCK_SECOND_US;
    if (crt)
        gnutls_x509_crt_deinit(crt);
    return rc;
}
