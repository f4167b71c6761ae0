/* swtpm keeps one file of what outlives a restart (swtpm(8), --tpmstate); libvirt makes its owner the emulator's user
 * with each start. */
#include "compute-agent/storage/tpm_state.h"
#include "common/file.h"
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *file, *folder, *name;
} versions[] = {{TPM_STATE_FILE_1_2, "tpm1.2", "tpm-00.permall"}, {TPM_STATE_FILE_2_0, "tpm2", "tpm2-00.permall"}};
#define VERSION_COUNT (sizeof(versions) / sizeof(versions[0]))

static int copy(const char *from, const char *to, struct error *e)
{
    struct strbuf text;
    strbuf_init(&text, 0);
    int code = file_read(from, &text, e);
    code = code ? code : file_replace(to, text.data, text.size, 0600, e);
    strbuf_done(&text);
    return code;
}

int tpm_state_keep(const char *tpm_dir, const char *server_id, const char *folder, struct error *e)
{
    struct strbuf from, to;
    int code = 0;
    strbuf_init(&from, 0);
    strbuf_init(&to, 0);
    for (size_t i = 0; i < VERSION_COUNT && !code; i++) {
        strbuf_reset(&from);
        strbuf_reset(&to);
        strbuf_appendf(&from, "%s/%s/%s/%s", tpm_dir, server_id, versions[i].folder, versions[i].name);
        strbuf_appendf(&to, "%s/%s", folder, versions[i].file);
        if (access(from.data, F_OK) == 0)
            code = copy(from.data, to.data, e);
    }
    strbuf_done(&from);
    strbuf_done(&to);
    return code;
}

bool tpm_state_is_kept(const char *tpm_dir, const char *server_id, const char *folder)
{
    struct strbuf path;
    bool kept = false;
    strbuf_init(&path, 0);
    for (size_t i = 0; i < VERSION_COUNT && !kept; i++) {
        strbuf_reset(&path);
        strbuf_appendf(&path, "%s/%s", folder, versions[i].file);
        kept = access(path.data, F_OK) == 0;
        strbuf_reset(&path);
        strbuf_appendf(&path, "%s/%s/%s/%s", tpm_dir, server_id, versions[i].folder, versions[i].name);
        kept = kept || access(path.data, F_OK) == 0;
    }
    strbuf_done(&path);
    return kept;
}

static int put_back(const char *from, const char *tpm_dir, const char *server_id, size_t version, struct error *e)
{
    struct strbuf to;
    strbuf_init(&to, 0);
    strbuf_appendf(&to, "%s/%s/%s", tpm_dir, server_id, versions[version].folder);
    int code = file_make_dirs(to.data, 0711, e);
    strbuf_appendf(&to, "/%s", versions[version].name);
    code = code ? code : copy(from, to.data, e);
    if (!code && unlink(from))
        code = error_set(e, ERR_IO, "%s: %s", from, strerror(errno));
    strbuf_done(&to);
    return code;
}

int tpm_state_restore(const char *tpm_dir, const char *server_id, const char *folder, struct error *e)
{
    struct strbuf from;
    int code = 0;
    strbuf_init(&from, 0);
    for (size_t i = 0; i < VERSION_COUNT && !code; i++) {
        strbuf_reset(&from);
        strbuf_appendf(&from, "%s/%s", folder, versions[i].file);
        if (access(from.data, F_OK) == 0)
            code = put_back(from.data, tpm_dir, server_id, i, e);
    }
    strbuf_done(&from);
    return code;
}
