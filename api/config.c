/* The table of options; --help and the man page come from it. */
#include "api/config.h"

#define OPTION(member) .name = #member, .offset = offsetof(struct api_config, member)

static const char *const levels[] = {"debug", "info", "warn", "error", NULL};

static const struct config_option options[] = {
    {OPTION(prefix), .type = CONFIG_TEXT, .doc = "Folder under which all default places lie."},
    {OPTION(listen), .type = CONFIG_TEXT, .fallback = "127.0.0.1:8774",
     .doc = "Address and port for tenants: HOST:PORT, [V6]:PORT."},
    {OPTION(agent_listen), .type = CONFIG_TEXT, .fallback = "127.0.0.1:8775",
     .doc = "Address and port for hosts' agents (always TLS). Not opened as long as pki_dir has no certificates; "
            "empty: never."},
    {OPTION(endpoint), .type = CONFIG_TEXT,
     .doc = "Base URL under which clients reach the API, as it appears in the catalog and in links. Default: as the "
            "client says."},
    {OPTION(proxies), .type = CONFIG_TEXT,
     .doc =
         "Load balancers in front of the API: addresses and prefixes with commas between them. Only these are believed "
         "who the client is (X-Forwarded-For); by that logins are slowed down."},
    {OPTION(region), .type = CONFIG_TEXT, .fallback = "RegionOne", .doc = "Name of the region."},
    {OPTION(database), .type = CONFIG_TEXT,
     .doc = "Path of the SQLite file or postgres:// URL. Default: <prefix>/var/lib/virga/virga.db."},
    {OPTION(tls_certificate), .type = CONFIG_TEXT,
     .doc = "PEM file with the certificate chain for tenants; unset: plain HTTP."},
    {OPTION(tls_key), .type = CONFIG_TEXT, .doc = "PEM file with its private key."},
    {OPTION(pki_dir), .type = CONFIG_TEXT,
     .doc = "Folder with ca.pem, ca.key, agents.pem and agents.key. Default: <prefix>/etc/virga/pki."},
    {OPTION(master_key), .type = CONFIG_TEXT,
     .doc = "File with the key under which secrets in the database are encrypted. Default: "
            "<prefix>/etc/virga/master.key."},
    {OPTION(image_dir), .type = CONFIG_TEXT, .doc = "Folder of the images. Default: <prefix>/var/lib/virga/images."},
    {OPTION(upload_dir), .type = CONFIG_TEXT,
     .doc = "Folder where uploads are spooled, on the same file system as image_dir. Default: image_dir."},
    {OPTION(log_file), .type = CONFIG_TEXT, .doc = "File to append the log to; unset: standard error."},
    {OPTION(log_level), .type = CONFIG_CHOICE, .fallback = "info", .choices = levels, .reload = true,
     .doc = "Least severity that is logged."},
    {OPTION(pid_file), .type = CONFIG_TEXT, .doc = "File that holds the process id and a lock; unset: none."},
    {OPTION(http_threads), .type = CONFIG_INT, .fallback = "0", .max = 256,
     .doc = "HTTP threads per port; 0: as many as cores, at least 2."},
    {OPTION(http_workers), .type = CONFIG_INT, .fallback = "2", .min = 1, .max = 64,
     .doc = "Threads per port for slow work of requests, such as hashing passwords."},
    {OPTION(http_connections), .type = CONFIG_INT, .fallback = "16384", .min = 16, .max = 1000000,
     .doc = "Most open connections per port."},
    {OPTION(writer_queue), .type = CONFIG_INT, .fallback = "65536", .min = 1, .max = 10000000,
     .doc = "Requests that may wait for the writer; further ones get 503."},
    {OPTION(writer_threads), .type = CONFIG_INT, .fallback = "8", .min = 1, .max = 256,
     .doc = "Concurrent writers on PostgreSQL."},
    {OPTION(body_limit), .type = CONFIG_SIZE, .fallback = "1m", .min = 1024, .max = (int64_t)1 << 30,
     .doc = "Largest body of a request, where nothing else is said."},
    {OPTION(image_limit), .type = CONFIG_SIZE, .fallback = "64g", .min = 1024, .max = (int64_t)1 << 46,
     .doc = "Largest upload of an image."},
    {OPTION(image_virtual_limit), .type = CONFIG_SIZE, .fallback = "2t", .min = 1 << 20, .max = (int64_t)1 << 50,
     .doc = "Largest disk in an image that is converted, whatever its file's size."},
    {OPTION(image_convert_timeout_ms), .type = CONFIG_DURATION, .fallback = "1h", .min = 1000, .max = 86400000,
     .doc = "Time for the conversion of an image (vmdk, vhd, vhdx, vdi, OVA)."},
    {OPTION(shelved_offload_s), .type = CONFIG_INT, .fallback = "0", .min = -1, .max = (int64_t)1 << 31, .reload = true,
     .doc = "Seconds after which a shelved server leaves its host; 0: at once, -1: when an administrator asks."},
    {OPTION(header_timeout_ms), .type = CONFIG_DURATION, .fallback = "10s", .min = 100, .max = 3600000,
     .doc = "Time for the request line and headers of a request."},
    {OPTION(body_timeout_ms), .type = CONFIG_DURATION, .fallback = "60s", .min = 100, .max = 86400000,
     .doc = "Time for a whole body."},
    {OPTION(upload_timeout_ms), .type = CONFIG_DURATION, .fallback = "6h", .min = 1000, .max = (int64_t)7 * 86400000,
     .doc = "Time for a whole upload."},
    {OPTION(idle_timeout_ms), .type = CONFIG_DURATION, .fallback = "75s", .min = 1000, .max = 86400000,
     .doc = "A connection without a request, or without progress within one, is closed after this."},
    {OPTION(shutdown_timeout_ms), .type = CONFIG_DURATION, .fallback = "10s", .min = 0, .max = 3600000,
     .doc = "Time that running requests get when the process is told to stop."},
    {OPTION(token_life_ms), .type = CONFIG_DURATION, .fallback = "1h", .min = 10000, .max = (int64_t)48 * 3600000,
     .reload = true, .doc = "How long a token lives."},
    {OPTION(password_passes), .type = CONFIG_INT, .fallback = "2", .min = 1, .max = 1000, .reload = true,
     .doc = "Cost of a password's hash (Argon2id): passes over the memory."},
    {OPTION(password_memory), .type = CONFIG_SIZE, .fallback = "32m", .min = 8192, .max = (int64_t)1 << 32,
     .reload = true, .doc = "Cost of a password's hash: memory. That much is used by each one under way."},
    {OPTION(password_threads), .type = CONFIG_INT, .fallback = "0", .max = 64,
     .doc = "Password hashes under way at once; 0: half as many as cores."},
    {OPTION(password_queue), .type = CONFIG_INT, .fallback = "512", .min = 1, .max = 1000000,
     .doc = "Logins that may wait for a hash; further ones get 503."},
    {OPTION(metrics_dir), .type = CONFIG_TEXT,
     .doc = "Folder whose fresh *.prom files (scheduler's and metering's figures) /metrics shows too. Default: "
            "<prefix>/run/virga."},
    {OPTION(metrics_public), .type = CONFIG_BOOL, .fallback = "true", .reload = true,
     .doc = "Whether /metrics is open to everybody; otherwise only to the machine itself."},
};

const struct config_spec config_api = {
    .program = "virga-api",
    .summary = "serves the OpenStack APIs",
    .options = options,
    .count = sizeof(options) / sizeof(options[0]),
};

static void config_api_place(const struct api_config *c, char **place, const char *path)
{
    if (!*place)
        *place = config_place(c->prefix, path);
}

void config_api_places(struct api_config *c)
{
    config_api_place(c, &c->database, "/var/lib/virga/virga.db");
    config_api_place(c, &c->pki_dir, "/etc/virga/pki");
    config_api_place(c, &c->master_key, "/etc/virga/master.key");
    config_api_place(c, &c->metrics_dir, "/run/virga");
    config_api_place(c, &c->image_dir, "/var/lib/virga/images");
    if (!c->upload_dir)
        c->upload_dir = config_place(NULL, c->image_dir);
}
