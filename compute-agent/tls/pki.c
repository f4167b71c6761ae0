/* GnuTLS does it all; these functions say what we want of it. */
#include "common/clock.h"
#include "common/file.h"
#include "compute-agent/tls/pki_internal.h"
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>
#include <strings.h>

#define PKI_FINGERPRINT_SIZE 65

static int pki_fail(struct error *e, const char *what, int rc)
{
    return error_set(e, ERR_INTERNAL, "%s: %s", what, gnutls_strerror(rc));
}

/* ---- keys and requests ---- */

static int pki_load_key(const char *path, gnutls_x509_privkey_t key, struct error *e)
{
    struct strbuf pem;
    strbuf_init(&pem, 65536);
    int code = file_read(path, &pem, e);
    if (!code) {
        gnutls_datum_t data = {(unsigned char *)pem.data, (unsigned)pem.size};
        int rc = gnutls_x509_privkey_import(key, &data, GNUTLS_X509_FMT_PEM);
        if (rc < 0)
            code = error_set(e, ERR_CORRUPT, "%s holds no private key: %s", path, gnutls_strerror(rc));
    }
    gnutls_memset(pem.data, 0, pem.capacity ? pem.size : 0);
    strbuf_done(&pem);
    return code;
}

static int pki_generate(const char *path, gnutls_x509_privkey_t key, struct error *e)
{
    gnutls_datum_t pem = {NULL, 0};
    int rc = gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    if (rc >= 0)
        rc = gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem);
    if (rc < 0)
        return pki_fail(e, "Making a key", rc);
    int code = file_replace(path, pem.data, pem.size, 0600, e);
    gnutls_memset(pem.data, 0, pem.size);
    gnutls_free(pem.data);
    return code;
}

int pki_make_key(const char *path, struct error *e)
{
    gnutls_x509_privkey_t key;
    if (gnutls_x509_privkey_init(&key) < 0)
        return error_set(e, ERR_INTERNAL, "No memory for a key");
    struct error why = {0};
    int code = pki_load_key(path, key, &why);
    if (code == ERR_NOT_FOUND)
        code = pki_generate(path, key, e);
    else if (code)
        error_set(e, code, "%s", error_text(&why));
    gnutls_x509_privkey_deinit(key);
    return code;
}

static int pki_sign_request(gnutls_x509_crq_t request, gnutls_x509_privkey_t key, const char *name, struct strbuf *ret,
                            struct error *e)
{
    gnutls_datum_t pem = {NULL, 0};
    int rc = gnutls_x509_crq_set_version(request, 1);
    if (rc >= 0)
        rc = gnutls_x509_crq_set_dn_by_oid(request, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)strlen(name));
    if (rc >= 0)
        rc = gnutls_x509_crq_set_key(request, key);
    if (rc >= 0)
        rc = gnutls_x509_crq_sign2(request, key, GNUTLS_DIG_SHA256, 0);
    if (rc >= 0)
        rc = gnutls_x509_crq_export2(request, GNUTLS_X509_FMT_PEM, &pem);
    if (rc < 0)
        return pki_fail(e, "Making a certificate request", rc);
    strbuf_append(ret, pem.data, pem.size);
    gnutls_free(pem.data);
    return ret->error;
}

int pki_make_request(const char *key_path, const char *common_name, struct strbuf *ret, struct error *e)
{
    gnutls_x509_privkey_t key;
    gnutls_x509_crq_t request;
    if (gnutls_x509_privkey_init(&key) < 0)
        return error_set(e, ERR_INTERNAL, "No memory for a key");
    int code = pki_load_key(key_path, key, e);
    if (!code && gnutls_x509_crq_init(&request) < 0)
        code = error_set(e, ERR_INTERNAL, "No memory for a certificate request");
    else if (!code) {
        code = pki_sign_request(request, key, common_name, ret, e);
        gnutls_x509_crq_deinit(request);
    }
    gnutls_x509_privkey_deinit(key);
    return code;
}

/* ---- certificates ---- */

static int pki_load_certificate(const char *pem, gnutls_x509_crt_t *ret, struct error *e)
{
    gnutls_datum_t data = {(unsigned char *)(uintptr_t)pem, (unsigned)strlen(pem)};
    if (gnutls_x509_crt_init(ret) < 0)
        return error_set(e, ERR_INTERNAL, "No memory for a certificate");
    int rc = gnutls_x509_crt_import(*ret, &data, GNUTLS_X509_FMT_PEM);
    if (rc >= 0)
        return 0;
    gnutls_x509_crt_deinit(*ret);
    return error_set(e, ERR_INVALID, "That is no certificate: %s", gnutls_strerror(rc));
}

bool pki_can_serve(const char *pem)
{
    gnutls_x509_crt_t certificate;
    if (pki_load_certificate(pem, &certificate, NULL))
        return false;
    bool can = gnutls_x509_crt_check_key_purpose(certificate, GNUTLS_KP_TLS_WWW_SERVER, 0) != 0;
    gnutls_x509_crt_deinit(certificate);
    return can;
}

bool pki_peer_name(void *session, char *ret, size_t size)
{
    unsigned status = 0, count = 0;
    gnutls_x509_crt_t certificate;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
    if (!chain || count == 0 || gnutls_certificate_verify_peers2(session, &status) != 0 || status != 0 ||
        gnutls_x509_crt_init(&certificate) < 0)
        return false;
    bool good = gnutls_x509_crt_import(certificate, &chain[0], GNUTLS_X509_FMT_DER) >= 0 &&
                gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0, ret, &size) >= 0;
    gnutls_x509_crt_deinit(certificate);
    return good;
}

int pki_read_validity(const char *pem, int64_t *ret_not_before_us, int64_t *ret_not_after_us, struct error *e)
{
    gnutls_x509_crt_t certificate;
    int code = pki_load_certificate(pem, &certificate, e);
    if (code)
        return code;
    *ret_not_before_us = (int64_t)gnutls_x509_crt_get_activation_time(certificate) * CLOCK_SECOND_US;
    *ret_not_after_us = (int64_t)gnutls_x509_crt_get_expiration_time(certificate) * CLOCK_SECOND_US;
    gnutls_x509_crt_deinit(certificate);
    return 0;
}

static bool pki_same_key(gnutls_x509_crt_t certificate, gnutls_x509_privkey_t key)
{
    unsigned char of_certificate[64], of_key[64];
    size_t certificate_size = sizeof(of_certificate), key_size = sizeof(of_key);
    return gnutls_x509_crt_get_key_id(certificate, GNUTLS_KEYID_USE_SHA256, of_certificate, &certificate_size) >= 0 &&
           gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, of_key, &key_size) >= 0 &&
           certificate_size == key_size && memcmp(of_certificate, of_key, key_size) == 0;
}

static int pki_check_pair(gnutls_x509_crt_t certificate, gnutls_x509_crt_t ca, const char *key_path, struct error *e)
{
    gnutls_x509_privkey_t key;
    unsigned status = 0;
    if (gnutls_x509_crt_verify(certificate, &ca, 1, 0, &status) < 0 || status)
        return error_set(e, ERR_INVALID, "The certificate is not signed by the cloud's CA");
    if (gnutls_x509_privkey_init(&key) < 0)
        return error_set(e, ERR_INTERNAL, "No memory for a key");
    int code = pki_load_key(key_path, key, e);
    if (!code && !pki_same_key(certificate, key))
        code = error_set(e, ERR_INVALID, "The certificate is not for the key in %s", key_path);
    gnutls_x509_privkey_deinit(key);
    return code;
}

int pki_check_certificate(const char *pem, const char *ca_pem, const char *key_path, struct error *e)
{
    gnutls_x509_crt_t certificate, ca;
    int code = pki_load_certificate(pem, &certificate, e);
    if (code)
        return code;
    code = pki_load_certificate(ca_pem, &ca, e);
    if (!code) {
        code = pki_check_pair(certificate, ca, key_path, e);
        gnutls_x509_crt_deinit(ca);
    }
    gnutls_x509_crt_deinit(certificate);
    return code;
}

/* ---- the chain that a server shows ---- */

static void pki_fingerprint(const gnutls_datum_t *der, char ret[PKI_FINGERPRINT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char sum[32];
    gnutls_hash_fast(GNUTLS_DIG_SHA256, der->data, der->size, sum);
    for (size_t i = 0; i < sizeof(sum); i++) {
        ret[2 * i] = digits[sum[i] >> 4];
        ret[2 * i + 1] = digits[sum[i] & 15];
    }
    ret[PKI_FINGERPRINT_SIZE - 1] = '\0';
}

/* `leaf` must be signed by `found`, which then goes to `ret`. */
static int pki_accept_ca(const gnutls_datum_t *leaf, const gnutls_datum_t *found, struct strbuf *ret, struct error *e)
{
    gnutls_x509_crt_t own = NULL, ca = NULL;
    gnutls_datum_t pem = {NULL, 0};
    unsigned status = 0;
    int rc = gnutls_x509_crt_init(&own);
    if (rc >= 0)
        rc = gnutls_x509_crt_init(&ca);
    if (rc >= 0)
        rc = gnutls_x509_crt_import(own, leaf, GNUTLS_X509_FMT_DER);
    if (rc >= 0)
        rc = gnutls_x509_crt_import(ca, found, GNUTLS_X509_FMT_DER);
    if (rc >= 0)
        rc = gnutls_x509_crt_verify(own, &ca, 1, 0, &status);
    if (rc >= 0)
        rc = gnutls_x509_crt_export2(ca, GNUTLS_X509_FMT_PEM, &pem);
    int code = 0;
    if (rc < 0 || status)
        code = error_set(e, ERR_FORBIDDEN, "The API's certificate is not signed by the CA that the token names");
    else
        strbuf_append(ret, pem.data, pem.size);
    gnutls_free(pem.data);
    if (own)
        gnutls_x509_crt_deinit(own);
    if (ca)
        gnutls_x509_crt_deinit(ca);
    return code;
}

int pki_pick_ca(gnutls_session_t session, const char *fingerprint, struct strbuf *ret, struct error *e)
{
    unsigned count = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
    for (unsigned i = 0; i < count; i++) {
        char text[PKI_FINGERPRINT_SIZE];
        pki_fingerprint(&chain[i], text);
        if (strcasecmp(text, fingerprint) == 0)
            return pki_accept_ca(&chain[0], &chain[i], ret, e);
    }
    return error_set(e, ERR_FORBIDDEN, "The API shows no certificate with the fingerprint that the token names");
}
