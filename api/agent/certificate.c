/* Hosts' certificates. Of the signing request only the key is taken, once it has proved that its owner holds it; the
 * name is ours. The CA's key is read for each signature and wiped: signatures are rare, and a process that serves
 * tenants should not keep it. */
#include "api/agent/certificate.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/strbuf.h"
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LIFE_SECONDS   ((time_t)90 * 86400)
#define BEFORE_SECONDS ((time_t)3600) /* clocks of hosts may be behind */

struct signing {
    gnutls_x509_crt_t ca, crt;
    gnutls_x509_privkey_t key;
    gnutls_x509_crq_t request;
    struct strbuf ca_pem, key_pem;
};

static int read_pem(struct arena *a, const char *dir, const char *name, struct strbuf *to, struct error *e)
{
    struct error detail = {0};
    if (file_read(arena_printf(a, "%s/%s", dir, name), to, &detail) == 0)
        return 0;
    return error_set(e, ERR_UNAVAILABLE, "the cloud's CA cannot be read: %s", error_text(&detail));
}

static gnutls_datum_t datum(const char *text, size_t size)
{
    return (gnutls_datum_t){.data = (unsigned char *)text, .size = (unsigned)size};
}

static int load_ca(struct signing *s, const char *dir, struct arena *a, struct error *e)
{
    gnutls_datum_t pem;
    int status, rc = read_pem(a, dir, "ca.pem", &s->ca_pem, e);
    if (!rc)
        rc = read_pem(a, dir, "ca.key", &s->key_pem, e);
    if (rc)
        return rc;
    pem = datum(s->ca_pem.data, s->ca_pem.size);
    status = gnutls_x509_crt_init(&s->ca);
    if (status == 0)
        status = gnutls_x509_crt_import(s->ca, &pem, GNUTLS_X509_FMT_PEM);
    pem = datum(s->key_pem.data, s->key_pem.size);
    if (status == 0)
        status = gnutls_x509_privkey_init(&s->key);
    if (status == 0)
        status = gnutls_x509_privkey_import(s->key, &pem, GNUTLS_X509_FMT_PEM);
    return status == 0 ? 0
                       : error_set(e, ERR_UNAVAILABLE, "the cloud's CA cannot be read: %s", gnutls_strerror(status));
}

static int load_request(struct signing *s, const char *csr, struct error *e)
{
    gnutls_datum_t pem = datum(csr, strlen(csr));
    int status = gnutls_x509_crq_init(&s->request);
    if (status == 0)
        status = gnutls_x509_crq_import(s->request, &pem, GNUTLS_X509_FMT_PEM);
    if (status == 0)
        status = gnutls_x509_crq_verify(s->request, 0);
    return status == 0 ? 0 : error_set(e, ERR_INVALID, "csr: not a signing request: %s", gnutls_strerror(status));
}

static int set_names(struct signing *s, const char *host_id)
{
    unsigned char serial[16];
    int status = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial));
    serial[0] = (unsigned char)((serial[0] & 0x7f) | 1); /* positive and not empty */
    if (status == 0)
        status = gnutls_x509_crt_set_serial(s->crt, serial, sizeof(serial));
    if (status == 0)
        status =
            gnutls_x509_crt_set_dn_by_oid(s->crt, GNUTLS_OID_X520_COMMON_NAME, 0, host_id, (unsigned)strlen(host_id));
    return status;
}

static int set_limits(struct signing *s)
{
    time_t now = (time_t)(clock_now_us() / CLOCK_SECOND_US);
    int status = gnutls_x509_crt_set_activation_time(s->crt, now - BEFORE_SECONDS);
    if (status == 0)
        status = gnutls_x509_crt_set_expiration_time(s->crt, now + LIFE_SECONDS);
    if (status == 0)
        status = gnutls_x509_crt_set_basic_constraints(s->crt, 0, -1);
    if (status == 0)
        status = gnutls_x509_crt_set_key_usage(s->crt, GNUTLS_KEY_DIGITAL_SIGNATURE);
    if (status == 0)
        status = gnutls_x509_crt_set_key_purpose_oid(s->crt, GNUTLS_KP_TLS_WWW_CLIENT, 0);
    if (status == 0) /* hosts fetch servers' disks from each other */
        status = gnutls_x509_crt_set_key_purpose_oid(s->crt, GNUTLS_KP_TLS_WWW_SERVER, 0);
    return status;
}

/* The name under which other hosts look for this one, whatever its address. */
static int set_server_name(struct signing *s, const char *host_id, struct arena *a)
{
    const char *name = arena_printf(a, "%s.host.virga", host_id);
    return gnutls_x509_crt_set_subject_alt_name(s->crt, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name),
                                                GNUTLS_FSAN_SET);
}

static int set_issuer(struct signing *s)
{
    unsigned char id[64];
    size_t size = sizeof(id);
    int status = gnutls_x509_crt_get_subject_key_id(s->ca, id, &size, NULL);
    return status == 0 ? gnutls_x509_crt_set_authority_key_id(s->crt, id, size) : 0;
}

static int make(struct signing *s, const char *host_id, struct arena *a, struct error *e)
{
    int status = gnutls_x509_crt_init(&s->crt);
    if (status == 0)
        status = gnutls_x509_crt_set_crq(s->crt, s->request);
    if (status == 0)
        status = gnutls_x509_crt_set_version(s->crt, 3);
    if (status == 0)
        status = set_names(s, host_id);
    if (status == 0)
        status = set_server_name(s, host_id, a);
    if (status == 0)
        status = set_limits(s);
    if (status == 0)
        status = set_issuer(s);
    if (status == 0)
        status = gnutls_x509_crt_sign2(s->crt, s->ca, s->key, GNUTLS_DIG_SHA256, 0);
    return status == 0 ? 0
                       : error_set(e, ERR_INTERNAL, "the certificate cannot be signed: %s", gnutls_strerror(status));
}

static char *print_fingerprint(gnutls_x509_crt_t crt, struct arena *a)
{
    unsigned char digest[32] = {0};
    size_t size = sizeof(digest);
    char *text = arena_alloc(a, 2 * sizeof(digest) + 1);
    gnutls_x509_crt_get_fingerprint(crt, GNUTLS_DIG_SHA256, digest, &size);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return text;
}

static int print(struct signing *s, struct arena *a, struct certificate *ret, struct error *e)
{
    gnutls_datum_t pem;
    int status = gnutls_x509_crt_export2(s->crt, GNUTLS_X509_FMT_PEM, &pem);
    if (status != 0)
        return error_set(e, ERR_INTERNAL, "the certificate cannot be written: %s", gnutls_strerror(status));
    ret->pem = arena_strndup(a, (char *)pem.data, pem.size);
    gnutls_free(pem.data);
    ret->fingerprint = print_fingerprint(s->crt, a);
    ret->ca_pem = arena_strdup(a, s->ca_pem.data);
    ret->cloud_id = arena_strndup(a, print_fingerprint(s->ca, a), 32);
    return 0;
}

static void signing_done(struct signing *s)
{
    if (s->crt != NULL)
        gnutls_x509_crt_deinit(s->crt);
    if (s->request != NULL)
        gnutls_x509_crq_deinit(s->request);
    if (s->key != NULL)
        gnutls_x509_privkey_deinit(s->key);
    if (s->ca != NULL)
        gnutls_x509_crt_deinit(s->ca);
    gnutls_memset(s->key_pem.size > 0 ? s->key_pem.data : NULL, 0, s->key_pem.size);
    strbuf_done(&s->key_pem);
    strbuf_done(&s->ca_pem);
}

int certificate_sign(const char *pki_dir, const char *csr, const char *host_id, struct arena *a,
                     struct certificate *ret, struct error *e)
{
    struct signing s = {0};
    int rc;
    strbuf_init(&s.ca_pem, 1 << 20);
    strbuf_init(&s.key_pem, 1 << 20);
    rc = load_request(&s, csr, e);
    if (!rc)
        rc = load_ca(&s, pki_dir, a, e);
    if (!rc)
        rc = make(&s, host_id, a, e);
    if (!rc)
        rc = print(&s, a, ret, e);
    signing_done(&s);
    return rc;
}
