/* A server's disks come from another host: over mutual TLS, for the one host that may have them, going on where a try
 * broke off, refused when a byte is wrong. */
#include "common/child.h"
#include "common/memory.h"
#include "compute-agent/http/http_files.h"
#include "compute-agent/storage/console_log.h"
#include "compute-agent/storage/image_check.h"
#include "compute-agent/storage/owner.h"
#include "compute-agent/storage/receive.h"
#include "compute-agent/storage/storage.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"
#include <string.h>

#define SERVER "01890000-1111-7222-8333-0123456789ab"
#define HOST_A "01890000-9999-7222-8333-00000000000a"
#define HOST_B "01890000-9999-7222-8333-00000000000b"
#define HOST_C "01890000-9999-7222-8333-00000000000c"

static void shell(const char *text)
{
    char *script = memory_new(strlen(text) + 128);
    struct child child = {.argv = (const char *[]){"bash", "-ec", script, NULL}, .deadline_ms = 60000};
    struct error e = {0};
    snprintf(script, strlen(text) + 128, "cd %s; %s", scratch_folder(), text);
    CHECK_OK(child_run(&child, NULL, &e), &e);
    free(script);
}

/* A CA, and a certificate of each host as the API signs them. */
static const char certificates[] =
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj /CN=ca "
    "-days 2 2>/dev/null; for h in " HOST_A " " HOST_B " " HOST_C "; do mkdir -p $h/instances $h/images; cp ca.pem $h; "
    "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $h/key.pem -out $h/csr -subj /CN=$h "
    "2>/dev/null; printf 'subjectAltName=DNS:%s.host.virga\\nextendedKeyUsage=clientAuth,serverAuth\\n' $h >$h/ext; "
    "openssl x509 -req -in $h/csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile $h/ext -out $h/cert.pem "
    "2>/dev/null; done";
static const char disks[] =
    "cd " HOST_A "; mkdir instances/" SERVER "; qemu-img create -q -f qcow2 images/i.qcow2 8M; qemu-img create -q -f "
    "qcow2 -b $PWD/images/i.qcow2 -F qcow2 instances/" SERVER "/root.qcow2 64M; qemu-io -f qcow2 -c 'write -P 7 1M 6M' "
    "instances/" SERVER "/root.qcow2 >/dev/null; echo drive >instances/" SERVER "/config.iso";

struct world {
    struct identity a;
    struct http_files *files;
    char listen[32], url[48];
    struct strbuf text;
    bool shared;
};

static char *path_of(const char *host, const char *name)
{
    static char texts[8][256];
    static unsigned next;
    char *text = texts[next++ % 8];
    snprintf(text, sizeof(texts[0]), "%s/%s/%s", scratch_folder(), host, name);
    return text;
}

static struct identity identity_of(const char *host)
{
    struct identity i = {.dir = memory_strdup(path_of(host, "")),
                         .key_file = memory_strdup(path_of(host, "key.pem")),
                         .cert_file = memory_strdup(path_of(host, "cert.pem")),
                         .ca_file = memory_strdup(path_of(host, "ca.pem"))};
    snprintf(i.host_id, sizeof(i.host_id), "%s", host);
    return i;
}

static void begin(struct world *w)
{
    static char instances[256];
    struct error e = {0};
    strbuf_init(&w->text, 0);
    scratch_clear(scratch_folder());
    mkdir(scratch_folder(), 0700);
    shell(certificates);
    shell(disks);
    w->a = identity_of(HOST_A);
    snprintf(instances, sizeof(instances), "%s", path_of(HOST_A, "instances"));
    int rc = ERR_IO;
    for (int port = 20000 + getpid() % 9000; rc == ERR_IO && port < 30000; port++) {
        snprintf(w->listen, sizeof(w->listen), "127.0.0.1:%d", port);
        snprintf(w->url, sizeof(w->url), "https://127.0.0.1:%d", port);
        struct http_files_setup setup = {.listen = w->listen, .instances = instances, .identity = &w->a};
        http_files_free(&w->files);
        w->files = http_files_new(&setup);
        error_clear(&e);
        rc = http_files_allow(w->files, SERVER, HOST_B, "<domain/>", &e);
    }
    CHECK_OK(rc, &e);
}

static void end(struct world *w)
{
    http_files_free(&w->files);
    identity_done(&w->a);
    strbuf_done(&w->text);
}

/* What of the other host's: its files, or one of the texts that go with them. */
enum what { FILES, RUNNING, RUNNING_SHARED, CONSOLE, DOMAIN };

static int receive(struct world *w, const char *host, int64_t root_gib, enum what what, struct error *e)
{
    struct identity me = identity_of(host);
    struct settings settings = {.image_deadline_ms = 60000};
    struct spec spec = {.exists = true, .root_gib = root_gib, .swap_mib = 0};
    memcpy(spec.id, SERVER, UUID_SIZE);
    settings.instances_dir = memory_strdup(path_of(host, "instances"));
    settings.image_dir = memory_strdup(path_of(host, "images"));
    struct receive r = {.settings = &settings,
                        .identity = &me,
                        .server_id = SERVER,
                        .spec = &spec,
                        .url = w->url,
                        .peer_id = HOST_A,
                        .running = what == RUNNING || what == RUNNING_SHARED,
                        .shared_only = what == RUNNING_SHARED};
    strbuf_reset(&w->text);
    int rc = what == CONSOLE  ? receive_console(&r, e)
             : what == DOMAIN ? receive_domain(&r, &w->text, e)
                              : receive_files(&r, &w->shared, e);
    free(settings.instances_dir);
    free(settings.image_dir);
    identity_done(&me);
    return rc;
}

#define ROOT "instances/" SERVER "/root.qcow2"
static bool there(const char *host, const char *name)
{
    return access(path_of(host, name), F_OK) == 0;
}

TEST("disks arrive whole, on this host's copy of the image, as large as the flavor says")
{
    struct world w = {.files = NULL};
    struct error e = {0};
    char backing[IMAGE_CHECK_NAME_SIZE];
    begin(&w);
    CHECK_OK(receive(&w, HOST_B, 1, FILES, &e), &e);
    CHECK_OK(image_check_backing(path_of(HOST_B, ROOT), backing, &e), &e);
    CHECK_TEXT(backing, path_of(HOST_B, "images/i.qcow2"));
    shell("qemu-io -f qcow2 -c 'read -P 7 1M 6M' " HOST_B "/" ROOT " | grep -q '6 MiB'; qemu-img info " HOST_B "/" ROOT
          " | grep -q 'virtual size: 1 GiB'; cmp " HOST_A "/instances/" SERVER "/config.iso " HOST_B
          "/instances/" SERVER "/config.iso");
    CHECK(!there(HOST_B, ROOT ".move"));
    CHECK_OK(receive(&w, HOST_B, 1, FILES, &e), &e); /* once more is no harm */
    end(&w);
}

TEST("nobody but the host that is to have them gets them, and only while it is")
{
    struct world w = {.files = NULL};
    struct error e = {0};
    begin(&w);
    CHECK_INT(receive(&w, HOST_C, 1, FILES, &e), ERR_FORBIDDEN);
    CHECK(!there(HOST_C, ROOT));
    CHECK_OK(http_files_allow(w.files, HOST_C, HOST_C, NULL, &e), &e); /* of another server: it listens on */
    http_files_deny(w.files, SERVER);
    error_clear(&e);
    CHECK_INT(receive(&w, HOST_B, 1, FILES, &e), ERR_FORBIDDEN);
    http_files_deny(w.files, HOST_C);
    error_clear(&e);
    CHECK_INT(receive(&w, HOST_B, 1, FILES, &e), ERR_UNAVAILABLE);
    end(&w);
}

TEST("a transfer that broke off goes on; one with a wrong byte is dropped and starts over")
{
    struct world w = {.files = NULL};
    struct error e = {0};
    begin(&w);
    shell("mkdir -p " HOST_B "/instances/" SERVER "; head -c 300000 " HOST_A "/" ROOT " >" HOST_B "/" ROOT ".move");
    CHECK_OK(receive(&w, HOST_B, 1, FILES, &e), &e);
    shell("rm -r " HOST_B "/instances/*; mkdir " HOST_B "/instances/" SERVER "; head -c 300000 /dev/zero >" HOST_B
          "/" ROOT ".move");
    CHECK_INT(receive(&w, HOST_B, 1, FILES, &e), ERR_CORRUPT);
    CHECK(!there(HOST_B, ROOT) && !there(HOST_B, ROOT ".move"));
    error_clear(&e);
    CHECK_OK(receive(&w, HOST_B, 1, FILES, &e), &e);
    CHECK(there(HOST_B, ROOT));
    end(&w);
}

TEST("for a running guest the disks are made empty and as large, and the config drive comes")
{
    struct world w = {.files = NULL};
    struct error e = {0};
    begin(&w);
    CHECK_OK(receive(&w, HOST_B, 0, RUNNING, &e), &e);
    shell("qemu-img info " HOST_B "/" ROOT
          " | grep -q 'virtual size: 64 MiB'; qemu-io -f qcow2 -c 'read -P 0 1M 6M' " HOST_B "/" ROOT
          " | grep -q '6 MiB'; test -s " HOST_B "/instances/" SERVER "/config.iso");
    end(&w);
}

#define LAYER "instances/.layers/01890000-2222-7222-8333-0123456789ab.qcow2"
#define LOWER "instances/.layers/01890000-3333-7222-8333-0123456789ab.qcow2"
/* The disk becomes the lower of two layers, which has an overlay with a 9, the upper, and that one the disk with an 8.
 */
static const char layers[] =
    "cd " HOST_A "; mkdir instances/.layers; mv " ROOT " " LOWER "; for f in " LOWER ":" LAYER " " LAYER ":" ROOT
    "; do qemu-img create -q -f qcow2 -b $PWD/${f%%:*} -F qcow2 ${f##*:}; done; qemu-io -f qcow2 -c 'write -P 8 8M "
    "1M' " ROOT " >/dev/null; mv " ROOT " keep; qemu-io -f qcow2 -c 'write -P 9 9M 1M' " LAYER
    " >/dev/null; mv keep " ROOT;

TEST("the layers of a clone come along, each on this host's copy of the one below, and once for all of its kin")
{
    for (int off = 0; off < 2; off++) {
        struct world w = {.files = NULL};
        struct error e = {0};
        char backing[IMAGE_CHECK_NAME_SIZE];
        begin(&w);
        shell(layers);
        CHECK_OK(receive(&w, HOST_B, 0, off ? FILES : RUNNING, &e), &e);
        CHECK_OK(image_check_backing(path_of(HOST_B, ROOT), backing, &e), &e);
        CHECK_TEXT(backing, path_of(HOST_B, LAYER));
        CHECK_OK(image_check_backing(path_of(HOST_B, LAYER), backing, &e), &e);
        CHECK_TEXT(backing, path_of(HOST_B, LOWER));
        CHECK_OK(image_check_backing(path_of(HOST_B, LOWER), backing, &e), &e);
        CHECK_TEXT(backing, path_of(HOST_B, "images/i.qcow2"));
        shell("for x in '7 1M 6M' '9 9M 1M'; do set -- $x; qemu-io -f qcow2 -c \"read -q -P $1 $2 $3\" " HOST_B "/" ROOT
              "; done");
        shell(off ? "qemu-io -f qcow2 -c 'read -q -P 8 8M 1M' " HOST_B "/" ROOT
                  : "qemu-io -f qcow2 -c 'read -q -P 0 8M 1M' " HOST_B "/" ROOT);
        shell("rm -r " HOST_B "/instances/" SERVER "; touch -d @1 " HOST_B "/" LOWER);
        CHECK_OK(receive(&w, HOST_B, 0, FILES, &e), &e);
        shell("[ $(stat -c %Y " HOST_B "/" LOWER ") = 1 ]");
        end(&w);
    }
}

#define RAW "instances/" SERVER "/root.raw"

TEST("raw disks arrive without what was never written, and grow; under a guest that runs they are not copied")
{
    struct world w = {.files = NULL};
    struct error e = {0};
    begin(&w);
    shell("cd " HOST_A "/instances/" SERVER "; rm root.qcow2; truncate -s 40M root.raw; printf hello | dd of=root.raw "
          "bs=1M seek=20 conv=notrunc status=none");
    CHECK_INT(receive(&w, HOST_B, 1, RUNNING_SHARED, &e), ERR_HYPERVISOR);
    CHECK_CONTAINS(e.text, "do not share the server's disks");
    CHECK(!there(HOST_B, RAW));
    error_clear(&e);
    CHECK_OK(receive(&w, HOST_B, 1, FILES, &e), &e);
    shell("cmp -n 41943040 " HOST_A "/" RAW " " HOST_B "/" RAW "; test $(stat -c %s " HOST_B "/" RAW
          ") = 1073741824; test $(stat -c %b " HOST_B "/" RAW ") -lt 20000; test ! -e " HOST_B "/" ROOT);
    CHECK_OK(receive(&w, HOST_B, 1, FILES, &e), &e);
    shell("test $(stat -c %s " HOST_A "/" RAW ".pack) -lt 1000000; test ! -e " HOST_B "/" RAW ".move");
    http_files_deny(w.files, SERVER);
    CHECK(!there(HOST_A, RAW ".pack"));
    end(&w);
}

/* The second host reaches the first one's folders under another path. */
static void share(bool same_image_dir)
{
    shell("rmdir " HOST_B "/instances; ln -s $PWD/" HOST_A "/instances " HOST_B "/instances");
    if (same_image_dir)
        shell("qemu-img rebase -q -u -f qcow2 -b $PWD/" HOST_B "/images/i.qcow2 -F qcow2 " HOST_A "/" ROOT
              "; cp " HOST_A "/images/i.qcow2 " HOST_B "/images");
}

static int remove_as(const char *host, struct error *e)
{
    struct settings settings = {.instances_dir = path_of(host, "instances")};
    size_t count = 0;
    char **ids = storage_list(&settings, host, &count);
    CHECK_INT(count, owner_is_other(path_of(host, "instances/" SERVER), host) ? 0 : 1);
    for (size_t i = 0; i < count; i++)
        free(ids[i]);
    free(ids);
    return storage_remove(&settings, host, SERVER, e);
}

TEST("where both hosts see the same folder nothing is copied, and only the one that it belongs to removes it")
{
    struct world w = {.files = NULL};
    struct error e = {0};
    begin(&w);
    share(true);
    const char *folder = path_of(HOST_A, "instances/" SERVER);
    shell("sha256sum " HOST_A "/" ROOT " >before");
    CHECK_OK(receive(&w, HOST_B, 0, RUNNING, &e), &e);
    CHECK(w.shared && owner_is_shared(folder) && owner_is_other(folder, HOST_B) && !owner_is_other(folder, HOST_A));
    shell("sha256sum -c --quiet before");
    CHECK_OK(remove_as(HOST_B, &e), &e);
    CHECK(there(HOST_A, ROOT));
    CHECK_OK(owner_take(folder, HOST_B, &e), &e); /* the guest has come */
    CHECK(owner_is_shared(folder));
    CHECK_OK(remove_as(HOST_A, &e), &e);
    CHECK(there(HOST_A, ROOT));
    CHECK_OK(remove_as(HOST_B, &e), &e);
    CHECK(!there(HOST_A, "instances/" SERVER));
    end(&w);
}

TEST("a shared disk whose image is elsewhere on this host is refused with both places")
{
    struct world w = {.files = NULL};
    struct error e = {0};
    begin(&w);
    share(false);
    CHECK_INT(receive(&w, HOST_B, 0, RUNNING, &e), ERR_INVALID);
    CHECK(strstr(error_text(&e), path_of(HOST_A, "images/i.qcow2")) != NULL);
    CHECK(strstr(error_text(&e), path_of(HOST_B, "images/i.qcow2")) != NULL);
    CHECK(there(HOST_A, ROOT));
    end(&w);
}

TEST("a folder that only looks the same is copied")
{
    struct world w = {.files = NULL};
    struct error e = {0};
    begin(&w);
    shell("cp -r " HOST_A "/instances/" SERVER " " HOST_B "/instances; rm " HOST_B "/" ROOT);
    CHECK_OK(receive(&w, HOST_B, 1, FILES, &e), &e);
    CHECK(!w.shared && there(HOST_B, ROOT));
    end(&w);
}

TEST("what the console said before comes along, and so does the guest's definition")
{
    struct world w = {.files = NULL};
    struct error e = {0};
    begin(&w);
    shell("cd " HOST_A "/instances/" SERVER "; echo two >console.log; echo one >console.log.0");
    CHECK_OK(receive(&w, HOST_B, 1, FILES, &e), &e);
    CHECK_OK(receive(&w, HOST_B, 1, CONSOLE, &e), &e);
    CHECK_OK(console_log_read(path_of(HOST_B, "instances/" SERVER "/console.log"), -1, &w.text, &e), &e);
    CHECK_TEXT(w.text.data, "one\ntwo\n");
    shell("echo three >" HOST_B "/instances/" SERVER "/console.log");
    strbuf_reset(&w.text);
    CHECK_OK(console_log_read(path_of(HOST_B, "instances/" SERVER "/console.log"), -1, &w.text, &e), &e);
    CHECK_TEXT(w.text.data, "one\ntwo\nthree\n");
    CHECK_OK(receive(&w, HOST_B, 1, DOMAIN, &e), &e);
    CHECK_TEXT(w.text.data, "<domain/>");
    end(&w);
}

TEST("disks for which there is no room are refused before anything is fetched")
{
    struct world w = {.files = NULL};
    struct error e = {0};
    begin(&w);
    shell("truncate -s 10T " HOST_A "/instances/" SERVER "/ephemeral.qcow2");
    CHECK_INT(receive(&w, HOST_B, 1, RUNNING, &e), ERR_NO_SPACE);
    CHECK(strstr(error_text(&e), " MiB are free") != NULL);
    CHECK(!there(HOST_B, "instances/" SERVER));
    end(&w);
}
