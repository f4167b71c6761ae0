/* TLS for tenants, and the agents' port with its client certificates. Certificates are made here. */
#include "api/http/peer.h"
#include "tests/unit/api/http_fixture.h"
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <time.h>

struct pair {
    gnutls_x509_crt_t certificate;
    gnutls_x509_privkey_t key;
    gnutls_datum_t certificate_pem, key_pem;
};
static struct pair ca, other_ca, server, agent, stranger, expired;

static void make(struct pair *pair, const char *name, const struct pair *issuer, int64_t life_s)
{
    unsigned char serial[1] = {1};
    CHECK(!gnutls_x509_privkey_init(&pair->key) && !gnutls_x509_crt_init(&pair->certificate));
    CHECK(
        !gnutls_x509_privkey_generate(pair->key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
    gnutls_x509_crt_set_version(pair->certificate, 3);
    gnutls_x509_crt_set_serial(pair->certificate, serial, sizeof(serial));
    gnutls_x509_crt_set_activation_time(pair->certificate, time(NULL) - 7200);
    gnutls_x509_crt_set_expiration_time(pair->certificate, time(NULL) + life_s);
    gnutls_x509_crt_set_dn_by_oid(pair->certificate, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)strlen(name));
    gnutls_x509_crt_set_basic_constraints(pair->certificate, issuer == NULL, -1);
    if (!issuer)
        gnutls_x509_crt_set_key_usage(pair->certificate, GNUTLS_KEY_KEY_CERT_SIGN);
    gnutls_x509_crt_set_key(pair->certificate, pair->key);
    const struct pair *by = issuer ? issuer : pair;
    CHECK(!gnutls_x509_crt_sign2(pair->certificate, by->certificate, by->key, GNUTLS_DIG_SHA256, 0));
    CHECK(!gnutls_x509_crt_export2(pair->certificate, GNUTLS_X509_FMT_PEM, &pair->certificate_pem));
    CHECK(!gnutls_x509_privkey_export2(pair->key, GNUTLS_X509_FMT_PEM, &pair->key_pem));
}

static void make_all(void)
{
    if (ca.key)
        return;
    make(&ca, "Test CA", NULL, 3600);
    make(&other_ca, "Test CA", NULL, 3600);
    make(&server, "localhost", &ca, 3600);
    make(&agent, "host-1", &ca, 3600);
    make(&stranger, "host-2", &other_ca, 3600);
    make(&expired, "host-3", &ca, -3600);
}

static void forget(struct pair *pair)
{
    gnutls_x509_crt_deinit(pair->certificate);
    gnutls_x509_privkey_deinit(pair->key);
    gnutls_free(pair->certificate_pem.data);
    gnutls_free(pair->key_pem.data);
}

__attribute__((destructor)) static void forget_all(void)
{
    struct pair *all[] = {&ca, &other_ca, &server, &agent, &stranger, &expired};
    for (size_t i = 0; i < 6 && ca.key; i++)
        forget(all[i]);
}

/* One request over TLS, with a client certificate unless `me` is NULL. The status, 0 without an answer; the body in
 * `ret`. */
static int ask(const char *path, const struct pair *me, char *ret, size_t size)
{
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
    int fd = http_connect(), status = 0;
    gnutls_certificate_allocate_credentials(&credentials);
    gnutls_certificate_set_x509_trust(credentials, &ca.certificate, 1);
    if (me)
        CHECK(gnutls_certificate_set_x509_key_mem(credentials, &me->certificate_pem, &me->key_pem,
                                                  GNUTLS_X509_FMT_PEM) >= 0);
    gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_FORCE_CLIENT_CERT);
    gnutls_set_default_priority(session);
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
    gnutls_session_set_verify_cert(session, NULL, 0);
    gnutls_transport_set_int(session, fd);
    gnutls_handshake_set_timeout(session, HTTP_WAIT_MS);
    int rc;
    do
        rc = gnutls_handshake(session);
    while (rc < 0 && !gnutls_error_is_fatal(rc));
    char text[4096];
    int length = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    size_t got = 0;
    if (!rc && gnutls_record_send(session, text, (size_t)length) == length) {
        ssize_t n;
        while ((n = gnutls_record_recv(session, text + got, sizeof(text) - 1 - got)) > 0)
            got += (size_t)n;
        text[got] = 0;
        const char *body = strstr(text, "\r\n\r\n");
        snprintf(ret, size, "%s", body ? body + 4 : "");
        if (sscanf(text, "HTTP/1.1 %d", &status) != 1)
            status = 0;
    }
    gnutls_deinit(session);
    gnutls_certificate_free_credentials(credentials);
    close(fd);
    return status;
}

static int who(struct request *request, struct reply *reply)
{
    const char *fingerprint = request_client_fingerprint(request);
    json_out_object(&reply->out, NULL);
    json_out_text(&reply->out, "host", request->credential.host_id);
    json_out_int(&reply->out, "fingerprint", fingerprint ? (int64_t)strlen(fingerprint) : 0);
    json_out_text(&reply->out, "base", request_base_url(request));
    json_out_object_end(&reply->out);
    return 0;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/agent", .permission = PERMISSION_AGENT, .handler = who},
    {.method = "GET", .pattern = "/join", .permission = PERMISSION_JOIN, .handler = who},
    {.method = "GET", .pattern = "/public", .permission = PERMISSION_PUBLIC, .handler = who},
};
static const struct route_table routes = ROUTE_TABLE(rows);
static const struct route_table *const tables[] = {&routes, NULL};
static const struct service service = {.name = "test", .prefix = "/t", .tables = tables};
const struct service *const http_services[] = {&service, NULL};

static void begin(enum router_port port)
{
    make_all();
    http_options.certificate = (const char *)server.certificate_pem.data;
    http_options.key = (const char *)server.key_pem.data;
    http_options.trust = port == ROUTER_AGENTS ? (const char *)ca.certificate_pem.data : NULL;
    http_options.port = port;
    http_begin();
}

TEST("tenants are served over TLS, agents' routes are not there")
{
    char body[1024];
    begin(ROUTER_TENANTS);
    CHECK_INT(ask("/t/public", NULL, body, sizeof(body)), 200);
    CHECK_CONTAINS(body, "\"base\":\"https://localhost\"");
    CHECK_INT(ask("/t/agent", &agent, body, sizeof(body)), 404);
    CHECK_INT(ask("/t/join", NULL, body, sizeof(body)), 404);
    http_end();
}

TEST("an agent is known by the certificate that our CA signed")
{
    char body[1024];
    begin(ROUTER_AGENTS);
    CHECK_INT(ask("/t/agent", &agent, body, sizeof(body)), 200);
    CHECK_CONTAINS(body, "{\"host\":\"host-1\",\"fingerprint\":64,");
    CHECK_INT(ask("/t/agent", NULL, body, sizeof(body)), 401);
    int status = ask("/t/agent", &stranger, body, sizeof(body));
    CHECK(status == 401 || status == 0);
    status = ask("/t/agent", &expired, body, sizeof(body));
    CHECK(status == 401 || status == 0);
    http_end();
}

TEST("joining needs no certificate, and tenants' routes are not there")
{
    char body[1024];
    begin(ROUTER_AGENTS);
    CHECK_INT(ask("/t/join", NULL, body, sizeof(body)), 200);
    CHECK_CONTAINS(body, "{\"host\":\"\",\"fingerprint\":0,");
    CHECK_INT(ask("/t/public", &agent, body, sizeof(body)), 404);
    http_end();
}

TEST("a certificate that is none is refused at start")
{
    struct error e = {0};
    struct http_server *_Atomic none = NULL;
    begin(ROUTER_TENANTS);
    struct http_options bad = {
        .listen = "127.0.0.1:0", .services = http_services, .certificate = "nonsense", .key = "nonsense"};
    CHECK_INT(http_server_start(&api, &bad, &none, &e), ERR_INVALID);
    CHECK_CONTAINS(error_text(&e), "certificate");
    http_end();
}

TEST("plain HTTP on a TLS port gets no answer and does no harm")
{
    char body[1024];
    begin(ROUTER_TENANTS);
    int fd = http_connect();
    http_send(fd, "GET /t/public HTTP/1.1\r\nHost: test\r\n\r\n");
    CHECK(http_is_closed(fd));
    close(fd);
    CHECK_INT(ask("/t/public", NULL, body, sizeof(body)), 200);
    http_end();
}

/* A session that shook hands and may be asked again and again. */
static gnutls_session_t begin_session(int fd, gnutls_certificate_credentials_t *ret)
{
    gnutls_session_t session;
    int rc;
    gnutls_certificate_allocate_credentials(ret);
    gnutls_init(&session, GNUTLS_CLIENT);
    gnutls_set_default_priority(session);
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, *ret);
    gnutls_transport_set_int(session, fd);
    gnutls_handshake_set_timeout(session, HTTP_WAIT_MS);
    do
        rc = gnutls_handshake(session);
    while (rc < 0 && !gnutls_error_is_fatal(rc));
    CHECK_INT(rc, 0);
    return session;
}

static bool shows(gnutls_session_t session, const struct pair *pair)
{
    unsigned count = 0;
    gnutls_datum_t der;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
    CHECK(count > 0 && !gnutls_x509_crt_export2(pair->certificate, GNUTLS_X509_FMT_DER, &der));
    bool same = chain[0].size == der.size && memcmp(chain[0].data, der.data, der.size) == 0;
    gnutls_free(der.data);
    return same;
}

static bool new_session_shows(const struct pair *pair)
{
    gnutls_certificate_credentials_t credentials;
    int fd = http_connect();
    gnutls_session_t session = begin_session(fd, &credentials);
    bool same = shows(session, pair);
    gnutls_deinit(session);
    gnutls_certificate_free_credentials(credentials);
    close(fd);
    return same;
}

TEST("another certificate is shown from then on, and connections that are there go on")
{
    static const char request[] = "GET /t/public HTTP/1.1\r\nHost: localhost\r\n\r\n";
    gnutls_certificate_credentials_t credentials;
    struct error e = {0};
    char text[4096];
    begin(ROUTER_TENANTS);
    int fd = http_connect();
    gnutls_session_t old = begin_session(fd, &credentials);
    CHECK(shows(old, &server));
    CHECK_INT(
        http_server_renew(api.http, (const char *)agent.certificate_pem.data, (const char *)server.key_pem.data, &e),
        ERR_INVALID);
    error_clear(&e);
    CHECK_INT(http_server_renew(api.http, "nonsense", (const char *)server.key_pem.data, &e), ERR_INVALID);
    error_clear(&e);
    CHECK(new_session_shows(&server));
    CHECK_OK(
        http_server_renew(api.http, (const char *)agent.certificate_pem.data, (const char *)agent.key_pem.data, &e),
        &e);
    CHECK(new_session_shows(&agent));
    CHECK_INT(gnutls_record_send(old, request, sizeof(request) - 1), (int)sizeof(request) - 1);
    ssize_t got = gnutls_record_recv(old, text, sizeof(text) - 1);
    CHECK(got > 12 && strncmp(text, "HTTP/1.1 200", 12) == 0);
    gnutls_deinit(old);
    gnutls_certificate_free_credentials(credentials);
    close(fd);
    http_end();
}
