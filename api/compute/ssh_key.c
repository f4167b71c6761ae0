/* Public keys of keypairs. The OpenSSH form is RFC 4253, section 6.6: base64 of length-prefixed parts, the first of
 * which names the type again. */
#include "api/compute/ssh_key.h"
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#define KEY_MAX 16384

static const char *const types[] = {
    "ssh-rsa",
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-dss",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
};

static const char *print_colons(const unsigned char *digest, size_t size, struct arena *a)
{
    char *text = arena_alloc(a, 3 * size);
    for (size_t i = 0; i < size; i++) {
        text[3 * i] = "0123456789abcdef"[digest[i] >> 4];
        text[3 * i + 1] = "0123456789abcdef"[digest[i] & 15];
        text[3 * i + 2] = i + 1 < size ? ':' : '\0';
    }
    return text;
}

static bool known_type(const char *text, size_t size)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strlen(types[i]) == size && memcmp(types[i], text, size) == 0)
            return true;
    return false;
}

/* All parts lie inside, and the first is `type`. */
static bool well_formed(const unsigned char *blob, size_t size, const char *type, size_t type_size)
{
    size_t at = 0, parts = 0;
    while (at < size) {
        size_t length;
        if (size - at < 4)
            return false;
        length = (size_t)blob[at] << 24 | (size_t)blob[at + 1] << 16 | (size_t)blob[at + 2] << 8 | blob[at + 3];
        at += 4;
        if (length > size - at)
            return false;
        if (parts == 0 && (length != type_size || memcmp(blob + at, type, length) != 0))
            return false;
        at += length;
        parts++;
    }
    return parts >= 2;
}

int ssh_key_fingerprint(const char *public_key, struct arena *a, const char **ret, struct error *e)
{
    unsigned char digest[16], *blob;
    size_t type_size = strcspn(public_key, " "), base_size, size = 0;
    const char *base = public_key + type_size + strspn(public_key + type_size, " ");
    base_size = strcspn(base, " \r\n");
    if (strlen(public_key) > KEY_MAX || !known_type(public_key, type_size) || base_size == 0)
        return error_set(e, ERR_INVALID, "Keypair data is invalid: failed to generate fingerprint");
    blob = arena_alloc(a, base_size + 1);
    if (sodium_base642bin(blob, base_size, base, base_size, NULL, &size, NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
        !well_formed(blob, size, public_key, type_size) || gnutls_hash_fast(GNUTLS_DIG_MD5, blob, size, digest) != 0)
        return error_set(e, ERR_INVALID, "Keypair data is invalid: failed to generate fingerprint");
    *ret = print_colons(digest, sizeof(digest), a);
    return 0;
}

int ssh_key_fingerprint_x509(const char *certificate, struct arena *a, const char **ret, struct error *e)
{
    unsigned char digest[20];
    size_t size = sizeof(digest);
    gnutls_datum_t pem = {.data = (unsigned char *)(uintptr_t)certificate, .size = (unsigned)strlen(certificate)};
    gnutls_x509_crt_t crt;
    int status;
    if (gnutls_x509_crt_init(&crt) != 0)
        return error_set(e, ERR_INTERNAL, "no certificate can be read");
    status = gnutls_x509_crt_import(crt, &pem, GNUTLS_X509_FMT_PEM);
    if (status == 0)
        status = gnutls_x509_crt_get_fingerprint(crt, GNUTLS_DIG_SHA1, digest, &size);
    gnutls_x509_crt_deinit(crt);
    if (status != 0)
        return error_set(e, ERR_INVALID,
                         "Keypair data is invalid: failed to generate X509 fingerprint. Error message: %s",
                         gnutls_strerror(status));
    *ret = print_colons(digest, size, a);
    return 0;
}

static size_t put_part(unsigned char *to, const void *data, size_t size)
{
    to[0] = (unsigned char)(size >> 24);
    to[1] = (unsigned char)(size >> 16);
    to[2] = (unsigned char)(size >> 8);
    to[3] = (unsigned char)size;
    memcpy(to + 4, data, size);
    return size + 4;
}

/* e and n are positive already: GnuTLS gives them with a leading zero where the top bit is set. */
static const char *print_public(const gnutls_datum_t *n, const gnutls_datum_t *exponent, struct arena *a)
{
    static const char type[] = "ssh-rsa";
    size_t room = 12 + sizeof(type) + n->size + exponent->size + 2, size = 0, text_size;
    unsigned char *blob = arena_alloc(a, room);
    char *text;
    size += put_part(blob + size, type, sizeof(type) - 1);
    size += put_part(blob + size, exponent->data, exponent->size);
    size += put_part(blob + size, n->data, n->size);
    text_size = sodium_base64_encoded_len(size, sodium_base64_VARIANT_ORIGINAL);
    text = arena_alloc(a, text_size);
    sodium_bin2base64(text, text_size, blob, size, sodium_base64_VARIANT_ORIGINAL);
    return arena_printf(a, "ssh-rsa %s Generated-by-Nova", text);
}

static int export_public(gnutls_x509_privkey_t key, struct arena *a, const char **ret)
{
    gnutls_datum_t n, exponent, d, p, q, u;
    int status = gnutls_x509_privkey_export_rsa_raw(key, &n, &exponent, &d, &p, &q, &u);
    if (status != 0)
        return status;
    *ret = print_public(&n, &exponent, a);
    sodium_memzero(d.data, d.size);
    sodium_memzero(p.data, p.size);
    sodium_memzero(q.data, q.size);
    sodium_memzero(u.data, u.size);
    gnutls_free(n.data);
    gnutls_free(exponent.data);
    gnutls_free(d.data);
    gnutls_free(p.data);
    gnutls_free(q.data);
    gnutls_free(u.data);
    return 0;
}

static int export_private(gnutls_x509_privkey_t key, struct arena *a, char **ret)
{
    gnutls_datum_t pem;
    int status = gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem);
    if (status != 0)
        return status;
    *ret = arena_strndup(a, (char *)pem.data, pem.size);
    sodium_memzero(pem.data, pem.size);
    gnutls_free(pem.data);
    return 0;
}

int ssh_key_generate(struct arena *a, char **ret_private, const char **ret_public, struct error *e)
{
    gnutls_x509_privkey_t key;
    char *private_key = NULL;
    const char *public_key = NULL;
    int status = gnutls_x509_privkey_init(&key);
    if (status != 0)
        return error_set(e, ERR_INTERNAL, "no key can be made: %s", gnutls_strerror(status));
    status = gnutls_x509_privkey_generate(key, GNUTLS_PK_RSA, 2048, 0);
    if (status == 0)
        status = export_public(key, a, &public_key);
    if (status == 0)
        status = export_private(key, a, &private_key);
    gnutls_x509_privkey_deinit(key);
    if (status != 0)
        return error_set(e, ERR_INTERNAL, "no key can be made: %s", gnutls_strerror(status));
    *ret_private = private_key;
    *ret_public = public_key;
    return 0;
}

#define PRINCIPAL_OID "1.3.6.1.4.1.311.20.2.3" /* Microsoft's user principal name */
#define LIFE_SECONDS  ((time_t)3650 * 86400)

static int fill_certificate(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const char *user_id,
                            const char *principal)
{
    unsigned char serial[16];
    time_t now = time(NULL);
    int status = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial));
    serial[0] = (unsigned char)((serial[0] & 0x7f) | 1); /* positive and not empty */
    if (status == 0)
        status = gnutls_x509_crt_set_version(crt, 3);
    if (status == 0)
        status = gnutls_x509_crt_set_serial(crt, serial, sizeof(serial));
    if (status == 0)
        status = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, user_id, (unsigned)strlen(user_id));
    if (status == 0)
        status = gnutls_x509_crt_set_activation_time(crt, now);
    if (status == 0)
        status = gnutls_x509_crt_set_expiration_time(crt, now + LIFE_SECONDS);
    if (status == 0)
        status = gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_CLIENT, 0);
    if (status == 0)
        status = gnutls_x509_crt_set_subject_alt_othername(crt, PRINCIPAL_OID, principal, (unsigned)strlen(principal),
                                                           GNUTLS_FSAN_APPEND | GNUTLS_FSAN_ENCODE_UTF8_STRING);
    if (status == 0)
        status = gnutls_x509_crt_set_key(crt, key);
    return status == 0 ? gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0) : status;
}

static int export_certificate(gnutls_x509_crt_t crt, struct arena *a, const char **ret)
{
    gnutls_datum_t pem;
    int status = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem);
    if (status != 0)
        return status;
    *ret = arena_strndup(a, (char *)pem.data, pem.size);
    gnutls_free(pem.data);
    return 0;
}

int ssh_key_generate_x509(const char *user_id, struct arena *a, char **ret_private, const char **ret_certificate,
                          struct error *e)
{
    gnutls_x509_privkey_t key = NULL;
    gnutls_x509_crt_t crt = NULL;
    char *private_key = NULL;
    const char *certificate = NULL;
    int status = gnutls_x509_privkey_init(&key);
    if (status == 0)
        status = gnutls_x509_crt_init(&crt);
    if (status == 0)
        status = gnutls_x509_privkey_generate(key, GNUTLS_PK_RSA, 2048, 0);
    if (status == 0)
        status = fill_certificate(crt, key, user_id, arena_printf(a, "%s@localhost", user_id));
    if (status == 0)
        status = export_certificate(crt, a, &certificate);
    if (status == 0)
        status = export_private(key, a, &private_key);
    if (crt != NULL)
        gnutls_x509_crt_deinit(crt);
    if (key != NULL)
        gnutls_x509_privkey_deinit(key);
    if (status != 0)
        return error_set(e, ERR_INTERNAL, "no certificate can be made: %s", gnutls_strerror(status));
    *ret_private = private_key;
    *ret_certificate = certificate;
    return 0;
}
