/* What was shown once stays in memory until the port closes: a handshake may still be using it. */
#include "api/http/tls.h"
#include "common/memory.h"
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_MAX 16

struct material {
    struct material *older;
    gnutls_pcert_st certificates[CHAIN_MAX];
    unsigned count;
    gnutls_privkey_t key;
};
struct tls {
    struct material *_Atomic now;
};
static _Thread_local struct tls *serving;

static void material_free(struct material *m)
{
    for (unsigned i = 0; i < m->count; i++)
        gnutls_pcert_deinit(&m->certificates[i]);
    if (m->key)
        gnutls_privkey_deinit(m->key);
    free(m);
}

static gnutls_datum_t datum(const char *text)
{
    return (gnutls_datum_t){.data = (unsigned char *)(uintptr_t)text, .size = (unsigned)strlen(text)};
}

/* Also that the key is the certificate's. */
static int check_pair(const gnutls_datum_t *certificate, const gnutls_datum_t *key)
{
    gnutls_certificate_credentials_t scratch;
    int rc = gnutls_certificate_allocate_credentials(&scratch);
    if (rc)
        return rc;
    rc = gnutls_certificate_set_x509_key_mem(scratch, certificate, key, GNUTLS_X509_FMT_PEM);
    gnutls_certificate_free_credentials(scratch);
    return rc < 0 ? rc : 0;
}

static int material_new(const char *certificate, const char *key, struct material **ret, struct error *e)
{
    gnutls_datum_t chain = datum(certificate), secret = datum(key);
    struct material *m = memory_new(sizeof(*m));
    unsigned count = CHAIN_MAX;
    int rc = check_pair(&chain, &secret);
    if (!rc)
        rc = gnutls_pcert_list_import_x509_raw(m->certificates, &count, &chain, GNUTLS_X509_FMT_PEM, 0);
    if (!rc)
        m->count = count;
    if (!rc)
        rc = gnutls_privkey_init(&m->key);
    if (!rc)
        rc = gnutls_privkey_import_x509_raw(m->key, &secret, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (rc) {
        material_free(m);
        return error_set(e, ERR_INVALID, "certificate and key: %s", gnutls_strerror(rc));
    }
    *ret = m;
    return 0;
}

int tls_new(const char *certificate, const char *key, struct tls **ret, struct error *e)
{
    struct tls *t = memory_new(sizeof(*t));
    int rc = tls_replace(t, certificate, key, e);
    if (rc)
        free(t);
    else
        *ret = t;
    return rc;
}

void tls_free(struct tls **t)
{
    if (!*t)
        return;
    for (struct material *m = atomic_load(&(*t)->now), *older; m; m = older) {
        older = m->older;
        material_free(m);
    }
    free(*t);
    *t = NULL;
}

int tls_replace(struct tls *t, const char *certificate, const char *key, struct error *e)
{
    struct material *fresh = NULL;
    int rc = material_new(certificate, key, &fresh, e);
    if (rc)
        return rc;
    fresh->older = atomic_load(&t->now);
    while (!atomic_compare_exchange_weak(&t->now, &fresh->older, fresh))
        ;
    return 0;
}

void tls_serve(struct tls *t)
{
    serving = t;
}

int tls_retrieve(gnutls_session_t session, const gnutls_datum_t *authorities, int authority_count,
                 const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **ret_certificates,
                 unsigned *ret_count, gnutls_privkey_t *ret_key)
{
    struct material *m = serving ? atomic_load(&serving->now) : NULL;
    (void)session, (void)authorities, (void)authority_count, (void)algorithms, (void)algorithm_count;
    if (!m)
        return -1;
    *ret_certificates = m->certificates;
    *ret_count = m->count;
    *ret_key = m->key;
    return 0;
}
